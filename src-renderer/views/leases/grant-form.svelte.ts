/** The contract's bounds for a TTL, in seconds. */
export const MAX_TTL_SECONDS = 9_000_000_000;

export type TtlProblem = 'empty' | 'notWhole' | 'range';
export type IdProblem = 'notHex' | 'zero' | 'tooLarge';

/** The form that grants a lease. */
export class GrantForm {
  ttl = $state('60');
  id = $state('');

  readonly ttlProblem = $derived.by((): TtlProblem | null => {
    const text = this.ttl.trim().replaceAll(',', '');
    if (text === '') return 'empty';
    if (!/^\d+$/.test(text)) return 'notWhole';
    const seconds = Number(text);
    return seconds < 1 || seconds > MAX_TTL_SECONDS ? 'range' : null;
  });

  readonly idProblem = $derived.by((): IdProblem | null => {
    const text = this.idHex;
    if (text === '') return null;
    if (!/^[0-9a-f]{1,16}$/.test(text)) return 'notHex';
    if (/^0+$/.test(text)) return 'zero';
    // Lease ids are signed 64-bit integers, and etcd's own tools take positive ones only.
    return text.padStart(16, '0') > '7fffffffffffffff' ? 'tooLarge' : null;
  });

  readonly isValid = $derived(this.ttlProblem === null && this.idProblem === null);

  get ttlSeconds(): number {
    return Number(this.ttl.trim().replaceAll(',', ''));
  }

  /** Lower case, without 0x; empty lets the cluster choose. */
  get idHex(): string {
    return this.id.trim().toLowerCase().replace(/^0x/, '');
  }
}
