import { describe, expect, it } from 'vitest';
import {
  KVService,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../../proto/etcd/rpc.ts';
import { RpcStatus } from '../rpc/status.ts';
import { nodeError, TestBackend } from './testing/backend.ts';
import { TestCaller } from './testing/call.ts';

const key = Buffer.from('a');
const range = (partial: object = {}) => RangeRequest.fromPartial({ key, ...partial });
const readOp = (serializable: boolean) => ({
  request: { $case: 'requestRange' as const, value: { key, serializable } },
});
const writeOp = { request: { $case: 'requestPut' as const, value: { key } } };

function setUp() {
  const backend = new TestBackend();
  return { backend, caller: new TestCaller(backend) };
}

describe('range', () => {
  it('waits for the quorum before it reads, and fills the header', async () => {
    const { backend, caller } = setUp();
    backend.rangeResponse = RangeResponse.fromPartial({ count: 5, more: true });
    const response = await caller.unary(KVService.range, range());
    expect(backend.asked).toEqual(['linearizableRead', 'range']);
    expect(response).toMatchObject({ count: 5, more: true });
    expect(response.header).toEqual({
      clusterId: 11n,
      memberId: 22n,
      revision: 10,
      raftTerm: 3,
    });
  });

  it('reads local state if the client says so', async () => {
    const { backend, caller } = setUp();
    await caller.unary(KVService.range, range({ serializable: true }));
    expect(backend.asked).toEqual(['range']);
  });

  it('answers what stops the read, and does not read then', async () => {
    const { backend, caller } = setUp();
    backend.failures.linearizableRead = nodeError('NoLeader');
    await expect(caller.unary(KVService.range, range())).rejects.toMatchObject({
      status: RpcStatus.UNAVAILABLE,
      message: 'etcdserver: no leader',
    });
    expect(backend.asked).toEqual(['linearizableRead']);
  });

  it('maps what the state machine throws', async () => {
    const { backend, caller } = setUp();
    backend.failures.range = nodeError('Compacted');
    await expect(caller.unary(KVService.range, range())).rejects.toMatchObject({
      status: RpcStatus.OUT_OF_RANGE,
      message: 'etcdserver: mvcc: required revision has been compacted',
    });
  });
});

describe('put', () => {
  it('proposes and answers with the revision of the write', async () => {
    const { backend, caller } = setUp();
    backend.proposalRevision = 7;
    const request = PutRequest.fromPartial({ key, value: Buffer.from('1'), prevKv: true });
    const response = await caller.unary(KVService.put, request);
    expect(backend.proposed).toEqual([{ $case: 'put', value: request }]);
    expect(response.header?.revision).toBe(7);
  });

  it('checks before it proposes', async () => {
    const { backend, caller } = setUp();
    const tooLarge = PutRequest.fromPartial({ key, value: Buffer.alloc(5000) });
    await expect(caller.unary(KVService.put, tooLarge)).rejects.toMatchObject({
      status: RpcStatus.INVALID_ARGUMENT,
      message: 'etcdserver: request is too large',
    });
    await expect(caller.unary(KVService.put, PutRequest.fromPartial({}))).rejects.toMatchObject({
      message: 'etcdserver: key is not provided',
    });
    expect(backend.asked).toEqual([]);
  });
});

describe('txn', () => {
  it.each([
    ['reads', { success: [readOp(false)] }, ['linearizableRead', 'readOnlyTxn']],
    ['serializable reads', { success: [readOp(true)] }, ['readOnlyTxn']],
    [
      'a mixture of reads',
      { success: [readOp(true)], failure: [readOp(false)] },
      ['linearizableRead', 'readOnlyTxn'],
    ],
    ['compares alone', {}, ['linearizableRead', 'readOnlyTxn']],
    ['a write in either branch', { success: [readOp(true)], failure: [writeOp] }, ['propose txn']],
    [
      'a nested one',
      { success: [{ request: { $case: 'requestTxn' as const, value: {} } }] },
      ['propose txn'],
    ],
  ])('of %s', async (_, request, asked) => {
    const { backend, caller } = setUp();
    await caller.unary(KVService.txn, TxnRequest.fromPartial(request));
    expect(backend.asked).toEqual(asked);
  });

  it('tells each operation the revision that it saw', async () => {
    const { backend, caller } = setUp();
    backend.proposalRevision = 8;
    const readAnswer = { response: { $case: 'responseRange' as const, value: {} } };
    const deleteAnswer = (deleted: number) => ({
      response: { $case: 'responseDeleteRange' as const, value: { deleted } },
    });
    backend.responses.txn = TxnResponse.fromPartial({
      succeeded: true,
      responses: [
        readAnswer,
        deleteAnswer(0),
        {
          response: {
            $case: 'responseTxn',
            value: { responses: [readAnswer, deleteAnswer(1), readAnswer] },
          },
        },
        readAnswer,
        { response: { $case: 'responsePut', value: {} } },
      ],
    });
    const request = TxnRequest.fromPartial({ success: [writeOp] });
    const { header, responses } = await caller.unary(KVService.txn, request);
    expect(header?.revision).toBe(8);
    const revisions = responses.map(({ response }) => response?.value.header?.revision);
    expect(revisions).toEqual([7, 7, 0, 8, 8]);
    const inner = responses[2]?.response;
    if (inner?.$case !== 'responseTxn') throw new Error('expected the nested answer');
    expect(inner.value.responses.map((op) => op.response?.value.header?.revision)).toEqual([
      7, 8, 8,
    ]);
  });

  it('that wrote nothing saw the current revision throughout', async () => {
    const { backend, caller } = setUp();
    backend.responses.txn = TxnResponse.fromPartial({
      responses: [{ response: { $case: 'responseRange', value: {} } }],
    });
    const request = TxnRequest.fromPartial({ failure: [writeOp] });
    const { responses } = await caller.unary(KVService.txn, request);
    expect(responses[0]?.response?.value.header?.revision).toBe(10);
  });
});

describe('compact', () => {
  it('answers once it is decided', async () => {
    const { backend, caller } = setUp();
    backend.compactionFinished = new Promise(() => {});
    const response = await caller.unary(KVService.compact, { revision: 5, physical: false });
    expect(response.header?.revision).toBe(10);
  });

  it('waits for the last byte if the client wants it physical', async () => {
    const { backend, caller } = setUp();
    const events: string[] = [];
    let finish = () => {};
    backend.compactionFinished = new Promise((resolve) => {
      finish = () => {
        events.push('finished');
        resolve();
      };
    });
    const answer = caller
      .unary(KVService.compact, { revision: 5, physical: true })
      .then(() => events.push('answered'));
    setImmediate(finish);
    await answer;
    expect(events).toEqual(['finished', 'answered']);
  });

  it('maps what the state machine decided', async () => {
    const { backend, caller } = setUp();
    backend.failures['propose compaction'] = nodeError('FutureRev');
    await expect(
      caller.unary(KVService.compact, { revision: 99, physical: true }),
    ).rejects.toMatchObject({ status: RpcStatus.OUT_OF_RANGE });
  });
});
