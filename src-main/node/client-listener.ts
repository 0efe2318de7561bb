import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import { CodedError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { createOwnServices } from './api/inspect.ts';
import { createServices } from './api/services.ts';
import { type NodeConfig, parseUrl } from './config.ts';
import { createGateway } from './gateway/gateway.ts';
import { createH2Server } from './rpc/h2/server.ts';
import { GRPC_OVERHEAD_BYTES, type RpcServer } from './rpc/server.ts';
import type { NodeServer } from './server/node-server.ts';

export interface ClientListener {
  stop(graceMs: number): Promise<void>;
}

/** Serves the API and the gateway on the client ports. Rejects with PortInUse, naming the port. */
export async function listenForClients(
  node: NodeServer,
  config: NodeConfig,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<ClientListener> {
  const stopping = new AbortController();
  const etcdServices = createServices(node, {
    logger,
    clock,
    stopping: stopping.signal,
    watchProgressIntervalMs: config.watchProgressIntervalMs,
    // etcd looks once in an election timeout, and ends streams when three in a row find no leader.
    leaderCheckIntervalMs: config.electionTimeoutMs,
  });
  const server: RpcServer = createH2Server({
    services: [...etcdServices, ...createOwnServices(node)],
    listen: config.listenClientUrls.map(parseUrl),
    maxReceiveBytes: config.maxRequestBytes + GRPC_OVERHEAD_BYTES,
    http1: createGateway(node, {
      logger,
      metrics: () => ({ leaderChanges: node.leaderChanges, quotaBytes: node.quotaBytes }),
    }),
    logger,
  });
  try {
    await server.start();
  } catch (error) {
    if (error instanceof CodedError && error.code === 'PortInUse') {
      throw new CodedError('PortInUse', `client ${error.message}`, {
        hint: 'Stop the process that listens there, or choose another --listen-client-urls.',
        cause: error,
      });
    }
    throw error;
  }
  return {
    stop(graceMs) {
      stopping.abort();
      return server.stop(graceMs);
    },
  };
}
