import type { Logger } from '../../base/logger.ts';
import { AlarmRequest_AlarmAction, AlarmType } from '../../proto/etcd/rpc.ts';
import { effectiveQuotaBytes, quotaExceeded } from '../alarm/quota.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import type { StateStore } from '../storage/types.ts';
import { growthBytes } from './growth.ts';
import { nodeError } from './proposals.ts';

export interface QuotaGateDeps {
  memberId: bigint;
  /** As configured: 0 is the default, negative is no limit. */
  quotaBackendBytes: number;
  store: StateStore;
  state: StateMachine;
  logger: Logger;
  propose(request: InternalRequestBody): Promise<unknown>;
}

/** etcd's quotaKVServer: what would not fit is refused, and from then on the alarm refuses on every member. */
export class QuotaGate {
  readonly quotaBytes: number;
  readonly #deps: QuotaGateDeps;

  constructor(deps: QuotaGateDeps) {
    this.#deps = deps;
    this.quotaBytes = effectiveQuotaBytes(deps.quotaBackendBytes);
  }

  admits(body: InternalRequestBody): boolean {
    const { store, quotaBackendBytes } = this.#deps;
    const bytes = growthBytes(body);
    return bytes === 0 || !quotaExceeded(store, { quotaBytes: quotaBackendBytes }, bytes);
  }

  /** For what is not admitted: rejects with NoSpace, once the alarm is raised. */
  async refuse(): Promise<never> {
    await this.#raiseAlarm();
    throw nodeError('NoSpace');
  }

  async #raiseAlarm(): Promise<void> {
    const { state, memberId, logger, propose } = this.#deps;
    const active = state
      .alarms()
      .some(({ memberID, alarm }) => memberID === memberId && alarm === AlarmType.NOSPACE);
    if (active) return;
    logger.warn('quota exceeded', { quotaBytes: this.quotaBytes });
    await propose({
      $case: 'alarm',
      value: {
        action: AlarmRequest_AlarmAction.ACTIVATE,
        memberID: memberId,
        alarm: AlarmType.NOSPACE,
      },
    });
  }
}
