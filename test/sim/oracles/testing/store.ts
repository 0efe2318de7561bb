import type { KeyValue, KvOperation, TxnStep, TxnStepOutput, WatchedEvent } from '../../history.ts';
import { inRange } from '../effects.ts';

/** A sequential etcd: the plainest thing that answers as one, so that legal histories can be made. */
export class Store {
  revision = 1;
  readonly events: WatchedEvent[] = [];
  readonly #versions = new Map<string, { from: number; kv: KeyValue | undefined }[]>();

  at(key: string, revision = this.revision): KeyValue | undefined {
    return this.#versions.get(key)?.findLast(({ from }) => from <= revision)?.kv;
  }

  /** Answers the operation, at `revision` if it is a read that lags. */
  run(operation: KvOperation, revision = this.revision): KvOperation {
    const { key } = operation;
    switch (operation.kind) {
      case 'get':
        return answered(operation, {
          revision,
          kv: this.at(key, operation.input.revision || revision),
        });
      case 'range': {
        const at = operation.input.revision || revision;
        const keys = [...this.#versions.keys()].filter((k) => inRange(k, key, operation.input.end));
        const kvs = keys.sort().flatMap((k) => this.at(k, at) ?? []);
        return answered(operation, { revision, kvs, count: kvs.length });
      }
      case 'put':
        this.write([{ kind: 'put', key, ...operation.input }]);
        return answered(operation, { revision: this.revision });
      case 'delete': {
        const [output] = this.write([{ kind: 'delete', key }]);
        const deleted = output?.kind === 'delete' ? output.deleted : 0;
        return answered(operation, { revision: this.revision, deleted });
      }
      case 'cas':
      case 'append': {
        const kv = this.at(key);
        const { expectedModRevision, value } = operation.input;
        const succeeded = (kv?.modRevision ?? 0) === expectedModRevision;
        if (succeeded) this.write([{ kind: 'put', key, value, lease: '0' }]);
        const shown = succeeded ? undefined : kv;
        return answered(operation, { revision: this.revision, succeeded, kv: shown });
      }
      case 'txn': {
        const { compares, success, failure } = operation.input;
        const succeeded = compares.every(
          (compare) => (this.at(compare.key)?.modRevision ?? 0) === compare.modRevision,
        );
        const steps = this.write(succeeded ? success : failure);
        return answered(operation, { revision: this.revision, succeeded, steps });
      }
    }
  }

  write(steps: readonly TxnStep[]): TxnStepOutput[] {
    const next = this.revision + 1;
    const before = this.events.length;
    const outputs = steps.map((step): TxnStepOutput => {
      if (step.kind === 'get') {
        return { kind: 'get', kv: this.at(step.key, step.revision || next) };
      }
      const kv = this.at(step.key, next);
      if (step.kind === 'delete') {
        if (kv !== undefined) this.#record(step.key, undefined, kv, next);
        return { kind: 'delete', deleted: kv === undefined ? 0 : 1 };
      }
      const { key, value, lease } = step;
      const createRevision = kv?.createRevision ?? next;
      const version = (kv?.version ?? 0) + 1;
      this.#record(
        key,
        { key, value, lease, createRevision, modRevision: next, version },
        kv,
        next,
      );
      return { kind: 'put' };
    });
    if (this.events.length > before) this.revision = next;
    return outputs;
  }

  #record(key: string, kv: KeyValue | undefined, prevKv: KeyValue | undefined, from: number): void {
    const versions = this.#versions.get(key) ?? [];
    versions.push({ from, kv });
    this.#versions.set(key, versions);
    const none = { value: '', createRevision: 0, version: 0, lease: '0' };
    const shown = kv ?? { key, ...none, modRevision: from };
    this.events.push({ type: kv === undefined ? 'delete' : 'put', kv: shown, prevKv });
  }
}

function answered(operation: KvOperation, output: object): KvOperation {
  return { ...operation, outcome: { ok: true, output } } as KvOperation;
}
