import type { ResponseHeader, ResponseOp, TxnResponse } from '../../proto/etcd/rpc.ts';

/**
 * Gives each operation's response the header that etcd gives it: no ids, and the revision that the
 * operation saw. That is the transaction's own from its first write on, and the one before until
 * then.
 */
export function withOpHeaders(response: TxnResponse, revision: number): TxnResponse {
  const before = writes(response.responses) ? revision - 1 : revision;
  return new HeaderPass(before, revision).txn(response);
}

const EMPTY_HEADER: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

class HeaderPass {
  readonly #before: number;
  readonly #after: number;
  #written = false;

  constructor(before: number, after: number) {
    this.#before = before;
    this.#after = after;
  }

  txn(response: TxnResponse): TxnResponse {
    return { ...response, responses: response.responses.map((op) => this.#op(op)) };
  }

  #op({ response }: ResponseOp): ResponseOp {
    switch (response?.$case) {
      case 'responseRange':
        return { response: { ...response, value: { ...response.value, header: this.#header() } } };
      case 'responsePut':
        this.#written = true;
        return { response: { ...response, value: { ...response.value, header: this.#header() } } };
      case 'responseDeleteRange':
        this.#written ||= response.value.deleted > 0;
        return { response: { ...response, value: { ...response.value, header: this.#header() } } };
      case 'responseTxn': {
        const nested = this.txn(response.value);
        // etcd fills in the outermost transaction's revision alone.
        return { response: { ...response, value: { ...nested, header: EMPTY_HEADER } } };
      }
      case undefined:
        return { response };
    }
  }

  #header(): ResponseHeader {
    const revision = this.#written ? this.#after : this.#before;
    return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
  }
}

function writes(responses: readonly ResponseOp[]): boolean {
  return responses.some(({ response }) => {
    switch (response?.$case) {
      case 'responsePut':
        return true;
      case 'responseDeleteRange':
        return response.value.deleted > 0;
      case 'responseTxn':
        return writes(response.value.responses);
      default:
        return false;
    }
  });
}
