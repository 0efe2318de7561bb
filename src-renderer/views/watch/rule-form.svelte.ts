import { parseEscapes } from '../../lib/bytes.ts';
import { MAX_THRESHOLD, MAX_WINDOW_SECONDS, type NoticeRule } from './notice-rules.svelte.ts';

export type RuleProblem = 'escape' | 'threshold' | 'seconds';

/** The form for a rule that notifies. */
export class RuleForm {
  prefix = $state('');
  type = $state<NoticeRule['type']>('any');
  threshold = $state('1');
  seconds = $state('10');
  tried = $state(false);

  readonly problem = $derived.by((): RuleProblem | null => {
    if (!parseEscapes(this.prefix).ok) return 'escape';
    if (!isWithin(this.threshold, MAX_THRESHOLD)) return 'threshold';
    // A single event needs no span.
    if (this.threshold.trim() !== '1' && !isWithin(this.seconds, MAX_WINDOW_SECONDS)) {
      return 'seconds';
    }
    return null;
  });

  submit(): NoticeRule | null {
    this.tried = true;
    const prefix = parseEscapes(this.prefix);
    if (this.problem !== null || !prefix.ok) return null;
    this.tried = false;
    const threshold = Number(this.threshold);
    return {
      prefix: prefix.bytes,
      type: this.type,
      threshold,
      seconds: threshold === 1 ? 1 : Number(this.seconds),
    };
  }
}

function isWithin(text: string, max: number): boolean {
  return /^\d{1,9}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= max;
}
