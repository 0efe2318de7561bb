/**
 * Answers every put with the same bytes and does nothing else, on the node's own server: how fast the load generator
 * is against it is the ceiling of what it can measure.
 */
import { silentLogger } from '../../src-main/base/logger.ts';
import { createH2Server } from '../../src-main/node/rpc/h2/server.ts';
import { PutResponse } from '../../src-main/proto/etcd/rpc.ts';
import { Path } from './client/messages.ts';

const header = { clusterId: 1n << 63n, memberId: 1n << 62n, revision: 1_000_000, raftTerm: 2 };
const answer = Promise.resolve(
  Buffer.from(PutResponse.encode(PutResponse.fromPartial({ header })).finish()),
);

const server = createH2Server({
  services: [
    {
      name: 'etcdserverpb.KV',
      methods: [{ kind: 'unary', path: Path.put, invoke: () => answer }],
    },
  ],
  listen: [{ host: '127.0.0.1', port: 0 }],
  maxReceiveBytes: 2 * 1024 * 1024,
  logger: silentLogger,
});
const [address] = await server.start();
process.send?.({ port: address?.port });
process.on('disconnect', () => process.exit());
