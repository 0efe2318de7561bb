import { pathToFileURL } from 'node:url';
import { type Clock, systemClock } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type ClientListener, listenForClients } from './client-listener.ts';
import { type NodeConfig, parseNodeFlags } from './config.ts';
import { Faults } from './faults/faults.ts';
import { faultyIo } from './faults/faulty-io.ts';
import { createNodeLogger } from './log.ts';
import { openNode } from './server/bootstrap.ts';
import { removeLeftovers, wideFolders } from './server/data-dir.ts';
import type { NodeIo } from './server/io.ts';
import { NodeServer } from './server/node-server.ts';
import { systemIo } from './server/system-io.ts';

/** Exit codes: a node that cannot start with these flags or this folder must not be restarted in a loop. */
export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** Time that running calls get when the node is asked to stop. */
const STOP_GRACE_MS = 1_000;
/** A terminal's Ctrl-C may arrive twice, from it and from npm: signals this close are one wish. */
const SAME_WISH_MS = 100;

/** Runs one node in the foreground until SIGINT or SIGTERM. Resolves with the exit code. */
export async function runNode(args: string[], clock: Clock = systemClock): Promise<number> {
  let config: NodeConfig | undefined;
  let logger: Logger;
  try {
    config = parseNodeFlags(args, process.env);
    if (config === undefined) return EXIT_OK;
    logger = createNodeLogger(config.name, config.logLevel, config.logOutputs);
  } catch (error) {
    complain(error);
    return EXIT_USAGE;
  }
  try {
    return await serve(config, logger, clock);
  } catch (error) {
    logger.error('node cannot start', { reason: errorMessage(error) });
    complain(error);
    return error instanceof CodedError ? EXIT_USAGE : EXIT_FAILURE;
  }
}

async function serve(config: NodeConfig, logger: Logger, clock: Clock): Promise<number> {
  const { io, faults } = ioFor(config, clock);
  const opened = await openNode(config, io, logger);
  await tidyDataDir(config.dataDir, logger);
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<number>((resolve) => {
    fail = (error) => {
      logger.error('node stopped: it cannot go on', {
        reason: errorMessage(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
      complain(error);
      resolve(EXIT_FAILURE);
    };
  });
  let leave: () => void = () => {};
  const removed = new Promise<number>((resolve) => {
    leave = () => {
      complain(new CodedError('MemberRemoved', 'this member was removed from the cluster'));
      resolve(EXIT_OK);
    };
  });
  const node = new NodeServer({
    ...io,
    config,
    opened,
    logger,
    faults,
    onFatal: fail,
    onRemoved: leave,
  });
  let listener: ClientListener | undefined;
  try {
    await node.start();
    node.electAtOnce();
    listener = await listenForClients(node, config, logger, clock);
    logger.info('serving clients', { urls: config.listenClientUrls });
    const code = await Promise.race([failed, removed, stopSignal(logger)]);
    // After a failure nothing more may be written, not even in closing: what is on disk is the truth.
    if (code === EXIT_FAILURE) process.exit(code);
    return code;
  } finally {
    await node.handOver();
    await listener?.stop(STOP_GRACE_MS);
    await node
      .stop()
      .catch((error: unknown) =>
        logger.error('not stopped cleanly', { reason: errorMessage(error) }),
      );
    logger.info('stopped');
  }
}

/** With a fault lab everything goes through the faults that are in force; without one there is nothing in between. */
function ioFor(config: NodeConfig, clock: Clock): { io: NodeIo; faults: Faults | undefined } {
  const io = systemIo(clock);
  if (!config.faultLab) return { io, faults: undefined };
  const faults = new Faults(clock);
  return { io: faultyIo(io, faults), faults };
}

/** Once the folder is ours: what a crash left goes, and folders that others may read are named. */
async function tidyDataDir(dir: string, logger: Logger): Promise<void> {
  for (const { path, mode } of wideFolders(dir)) {
    logger.warn('folder can be read by others; mode 0700 is recommended', { path, mode });
  }
  const removed = await removeLeftovers(dir, Date.now());
  if (removed.length > 0) logger.info('removed what a crash left behind', { files: removed });
}

/** Resolves with the first signal. A second one ends the process at once: what is on disk is enough. */
function stopSignal(logger: Logger): Promise<number> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined;
    const asked = (signal: NodeJS.Signals) => {
      const nowMs = systemClock.nowMs();
      if (askedAtMs !== undefined && nowMs - askedAtMs < SAME_WISH_MS) return;
      if (askedAtMs !== undefined) {
        logger.warn('stopped at once by a second signal', { signal });
        process.exit(EXIT_FAILURE);
      }
      askedAtMs = nowMs;
      logger.info('stopping', { signal });
      resolve(EXIT_OK);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, asked);
  });
}

function complain(error: unknown): void {
  process.stderr.write(`raftdeck node: ${errorMessage(error)}\n`);
  if (error instanceof CodedError && error.hint !== undefined) {
    process.stderr.write(`  ${error.hint}\n`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  runNode(process.argv.slice(2)).then((code) => process.exit(code));
}
