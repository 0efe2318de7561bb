import { displayBytes, parseEscapes } from '../../lib/bytes.ts';
import type { WatchTarget } from './watch-session.svelte.ts';

export type Scope = 'prefix' | 'key';
export type From = 'now' | 'revision';
export type FormProblem = 'escape' | 'keyEmpty' | 'revision';

/** The form that opens a watch. */
export class WatchForm {
  scope = $state<Scope>('prefix');
  key = $state('');
  from = $state<From>('now');
  revision = $state('');
  /** Problems are told once it was tried. */
  tried = $state(false);

  readonly problem = $derived.by((): FormProblem | null => {
    const parsed = parseEscapes(this.key);
    if (!parsed.ok) return 'escape';
    if (this.scope === 'key' && parsed.bytes.length === 0) return 'keyEmpty';
    if (this.from === 'revision' && !(this.startRevision >= 1)) return 'revision';
    return null;
  });

  /** NaN for what is no revision. */
  get startRevision(): number {
    const text = this.revision.trim().replaceAll(',', '');
    return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  }

  /** What is to be watched; null if something is wrong, which `problem` then says. */
  submit(): WatchTarget | null {
    this.tried = true;
    const parsed = parseEscapes(this.key);
    if (this.problem !== null || !parsed.ok) return null;
    this.tried = false;
    return {
      key: parsed.bytes,
      prefix: this.scope === 'prefix',
      startRevision: this.from === 'now' ? 0 : this.startRevision,
    };
  }

  /** Fills the form in with what another view asked for. */
  show(target: Pick<WatchTarget, 'key' | 'prefix'>): void {
    this.scope = target.prefix ? 'prefix' : 'key';
    this.key = displayBytes(target.key);
    this.from = 'now';
  }
}
