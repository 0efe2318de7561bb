import { compareBytes, displayBytes, parseEscapes } from '../../lib/bytes.ts';
import type { Scope, WatchTarget } from './watch-target.ts';

export type From = 'now' | 'revision';
export type Kinds = 'both' | 'put' | 'delete';
export type FormProblem = 'escape' | 'keyEmpty' | 'rangeEmpty' | 'revision';

/** The form that opens a watch. */
export class WatchForm {
  scope = $state<Scope>('prefix');
  key = $state('');
  /** Of a range: one past its last key. */
  end = $state('');
  from = $state<From>('now');
  revision = $state('');
  kinds = $state<Kinds>('both');
  /** Problems are told once it was tried. */
  tried = $state(false);

  readonly problem = $derived.by((): FormProblem | null => {
    const key = parseEscapes(this.key);
    const end = parseEscapes(this.scope === 'range' ? this.end : '');
    if (!key.ok || !end.ok) return 'escape';
    if (this.scope === 'key' && key.bytes.length === 0) return 'keyEmpty';
    if (end.bytes.length > 0 && compareBytes(key.bytes, end.bytes) >= 0) return 'rangeEmpty';
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
    const key = parseEscapes(this.key);
    const end = parseEscapes(this.scope === 'range' ? this.end : '');
    if (this.problem !== null || !key.ok || !end.ok) return null;
    this.tried = false;
    return {
      scope: this.scope,
      key: key.bytes,
      rangeEnd: end.bytes,
      startRevision: this.from === 'now' ? 0 : this.startRevision,
      only: this.kinds === 'both' ? null : this.kinds,
    };
  }

  /** Fills the form in with what another view asked for. */
  show(key: Uint8Array, scope: Scope): void {
    this.scope = scope;
    this.key = displayBytes(key);
    this.end = '';
    this.from = 'now';
    this.kinds = 'both';
  }
}
