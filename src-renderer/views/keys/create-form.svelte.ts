import { asCallError } from '../../api/client.ts';
import { utf8Encode } from '../../lib/bytes.ts';
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../../lib/limits.ts';

export type CreateProblem =
  | { field: 'key'; kind: 'empty' }
  | { field: 'key'; kind: 'tooLarge'; bytes: number; maxBytes: number }
  | { field: 'value'; kind: 'tooLarge'; bytes: number; maxBytes: number }
  | { field: 'lease'; kind: 'notHex' };

export type CreateOutcome = 'created' | 'exists' | 'failed' | 'refused';

export type CreateKey = (input: {
  key: Uint8Array;
  value: Uint8Array;
  lease?: string;
}) => Promise<{ revision: number }>;

/** The form of a new key. It never writes over one that exists. */
export class CreateForm {
  key = $state('');
  value = $state('');
  lease = $state('');
  saving = $state(false);
  /** The key that turned out to exist already. */
  existing = $state.raw<Uint8Array | null>(null);
  error = $state.raw<unknown>(null);
  /** Problems are told once it was tried. */
  tried = $state(false);
  readonly #create: CreateKey;
  readonly #encodeKey: (text: string) => Uint8Array;

  constructor(create: CreateKey, encodeKey: (text: string) => Uint8Array, key = '') {
    this.#create = create;
    this.#encodeKey = encodeKey;
    this.key = key;
  }

  readonly keyBytes = $derived.by(() => this.#encodeKey(this.key));
  readonly valueBytes = $derived(utf8Encode(this.value));
  readonly leaseHex = $derived(this.lease.trim().toLowerCase().replace(/^0x/, ''));
  readonly problems = $derived.by(() => this.#problems());

  problem(field: CreateProblem['field']): CreateProblem | null {
    return this.problems.find((problem) => problem.field === field) ?? null;
  }

  async submit(): Promise<CreateOutcome> {
    this.tried = true;
    if (this.problems.length > 0 || this.saving) return 'refused';
    const key = this.keyBytes;
    this.saving = true;
    this.error = null;
    this.existing = null;
    try {
      const lease = this.leaseHex === '' ? {} : { lease: this.leaseHex };
      await this.#create({ key, value: this.valueBytes, ...lease });
      return 'created';
    } catch (error) {
      const { code } = asCallError(error);
      if (code === 'Conflict' || code === 'AlreadyExists') {
        this.existing = key;
        return 'exists';
      }
      this.error = error;
      return 'failed';
    } finally {
      this.saving = false;
    }
  }

  #problems(): CreateProblem[] {
    const list: CreateProblem[] = [];
    const keyLength = this.keyBytes.length;
    const valueLength = this.valueBytes.length;
    if (keyLength === 0) list.push({ field: 'key', kind: 'empty' });
    if (keyLength > MAX_KEY_BYTES) {
      list.push({ field: 'key', kind: 'tooLarge', bytes: keyLength, maxBytes: MAX_KEY_BYTES });
    }
    if (valueLength > MAX_VALUE_BYTES) {
      const sizes = { bytes: valueLength, maxBytes: MAX_VALUE_BYTES };
      list.push({ field: 'value', kind: 'tooLarge', ...sizes });
    }
    if (this.leaseHex !== '' && !/^[0-9a-f]{1,16}$/.test(this.leaseHex)) {
      list.push({ field: 'lease', kind: 'notHex' });
    }
    return list;
  }
}
