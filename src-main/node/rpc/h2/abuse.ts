import { FloodGuard } from './flood-guard.ts';
import { ConnectionError, ErrorCode } from './frames.ts';
import { FLOOD_WINDOW_MS, MAX_CONTROL_FRAMES_PER_WINDOW, MAX_RESETS_PER_WINDOW } from './limits.ts';

/** The budgets of one connection for what costs work and brings none; see limits.ts. */
export class AbuseGuards {
  readonly #control = new FloodGuard(MAX_CONTROL_FRAMES_PER_WINDOW, FLOOD_WINDOW_MS, Date.now);
  readonly #resets = new FloodGuard(MAX_RESETS_PER_WINDOW, FLOOD_WINDOW_MS, Date.now);

  /** Throws ConnectionError once there are too many. */
  control(): void {
    if (this.#control.spend()) return;
    throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many control frames');
  }

  /** Throws ConnectionError once there are too many. */
  reset(): void {
    if (this.#resets.spend()) return;
    throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many resets');
  }

  payloadMoved(): void {
    this.#control.earn();
  }

  callFinished(): void {
    this.#resets.earn();
  }
}
