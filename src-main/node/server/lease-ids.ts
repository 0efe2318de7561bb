/**
 * Lease ids that no other member and no earlier run hands out: 16 bits of the member, 40 of the start time, 8 and
 * more of a counter (as etcd's idutil), positive as int64.
 */
export class LeaseIds {
  #next: bigint;

  constructor(memberId: bigint, startMs: number) {
    const member = BigInt.asUintN(15, memberId) << 48n;
    this.#next = member | (BigInt.asUintN(40, BigInt(Math.floor(startMs))) << 8n);
  }

  next(): bigint {
    this.#next++;
    return this.#next;
  }
}
