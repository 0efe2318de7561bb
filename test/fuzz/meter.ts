import { getHeapStatistics } from 'node:v8';
import { Finding } from './target.ts';

/** What one input may cost, whatever it says. */
const MAX_CPU_MS = 3_000;
/** Of waiting: for a promise that never settles. */
const MAX_WALL_MS = 10_000;
const MAX_BUFFER_BYTES = 64 * 1024 * 1024;
const MAX_HEAP_GROWTH_BYTES = 128 * 1024 * 1024;
/** Bytes that may be made of one byte of input, beyond those. */
const MAX_FACTOR = 1024;

const KINDS = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;

/**
 * Watches what a run costs. Buffers are counted where they are made: one that is never written to
 * would not show otherwise.
 */
export class Meter {
  readonly #originals = KINDS.map((kind) => Buffer[kind]);
  #bufferBytes = 0;

  constructor() {
    for (const [i, kind] of KINDS.entries()) {
      const original = this.#originals[i] as (bytes: number, ...rest: unknown[]) => Buffer;
      const counting = (bytes: number, ...rest: unknown[]) => {
        this.#bufferBytes += bytes;
        return original(bytes, ...rest);
      };
      Object.assign(Buffer, { [kind]: counting });
    }
  }

  /** Throws a Finding if the run costs too much, and whatever it throws. */
  async measure(input: Buffer, run: () => void | Promise<void>): Promise<void> {
    this.#bufferBytes = 0;
    const heap = heapBytes();
    const cpu = process.cpuUsage();
    await inTime(run());
    const { user, system } = process.cpuUsage(cpu);
    const cpuMs = (user + system) / 1000;
    if (cpuMs > MAX_CPU_MS) throw new Finding(`it takes ${cpuMs.toFixed(0)} ms`);
    const allowance = MAX_FACTOR * input.length;
    if (this.#bufferBytes > MAX_BUFFER_BYTES + allowance) {
      throw new Finding(`it makes room for ${this.#bufferBytes} bytes`);
    }
    const growth = heapBytes() - heap;
    if (growth > MAX_HEAP_GROWTH_BYTES + allowance)
      throw new Finding(`the heap grows by ${growth}`);
  }

  /** Gives Buffer its own functions back. */
  close(): void {
    for (const [i, kind] of KINDS.entries()) Object.assign(Buffer, { [kind]: this.#originals[i] });
  }
}

async function inTime(run: void | Promise<void>): Promise<void> {
  if (run === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Finding('it does not end')), MAX_WALL_MS);
  });
  await Promise.race([run, tooLate]).finally(() => clearTimeout(timer));
}

function heapBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}
