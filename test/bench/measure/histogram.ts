/** Sub-buckets of each power of two: a reading is off by less than a hundredth. */
const SUB_BITS = 7;
const SUB_BUCKETS = 2 ** SUB_BITS;
/** Up to 2^31 microseconds. */
const BUCKETS = (31 - SUB_BITS + 1) * SUB_BUCKETS;

/** Latencies, counted in buckets that grow with their value. Can be sent between processes and added. */
export class Histogram {
  readonly #counts: Float64Array;
  #total = 0;

  /** From what `buckets` gave. */
  constructor(buckets: readonly number[] = []) {
    this.#counts = new Float64Array(BUCKETS);
    for (let i = 0; i + 1 < buckets.length; i += 2) {
      const count = buckets[i + 1] as number;
      this.#counts[buckets[i] as number] = count;
      this.#total += count;
    }
  }

  get total(): number {
    return this.#total;
  }

  record(ms: number): void {
    const bucket = bucketOf(Math.min(2 ** 31 - 1, Math.max(0, Math.round(ms * 1000))));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#total++;
  }

  /** Pairs of bucket and count of those that hold something. */
  buckets(): number[] {
    const pairs: number[] = [];
    for (const [bucket, count] of this.#counts.entries()) if (count > 0) pairs.push(bucket, count);
    return pairs;
  }

  /** Milliseconds that this share of the latencies does not exceed; NaN without any. */
  percentile(share: number): number {
    if (this.#total === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(this.#total * share));
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return middleOf(bucket) / 1000;
    }
    return Number.NaN;
  }
}

function bucketOf(us: number): number {
  if (us < SUB_BUCKETS) return us;
  const shift = 31 - Math.clz32(us) - SUB_BITS;
  return (shift + 1) * SUB_BUCKETS + (us >>> shift) - SUB_BUCKETS;
}

function middleOf(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1;
  const low = (SUB_BUCKETS + (bucket % SUB_BUCKETS)) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}
