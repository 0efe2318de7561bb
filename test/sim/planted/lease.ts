import type { PlantedBug } from './types.ts';

const EXPIRY = 'src-main/node/lease/expiry.ts';
const DESK = 'src-main/node/server/lease-desk.ts';

/** Leases. */
export const LEASE_BUGS: readonly PlantedBug[] = [
  {
    name: 'old-leaders-revocation-honoured',
    breaks:
      'A leader that was paused has its successor end a lease that was renewed there (etcd 15247)',
    violates: ['lease: never early'],
    edits: [
      {
        file: 'src-main/node/server/proposals.ts',
        find: 'if (waiting.onlyInTerm === undefined || waiting.onlyInTerm === leadingTerm) taken',
        replace: 'if (leadingTerm !== -1) taken',
      },
    ],
  },
  {
    name: 'old-leader-renews',
    breaks: 'A leader that was paused or cut off renews leases without proving that it still leads',
    violates: ['lease: never early', 'lease: dead', 'lease: alive'],
    edits: [
      {
        file: DESK,
        find: '      if (this.#keeper.leading) await this.#deps.confirmLeadership();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'keep-alive-of-revoked-lease',
    breaks: 'A keep-alive succeeds on a lease that was revoked (etcd 13675)',
    violates: ['lease: dead', 'lease: never early'],
    edits: [
      {
        file: EXPIRY,
        find: '    this.#leases.delete(id);\n    this.#expiries.remove(lease.expiry);',
        replace: '    this.#expiries.remove(lease.expiry);',
      },
    ],
  },
  {
    name: 'keep-alive-races-revocation',
    breaks: 'A keep-alive renews a lease whose revocation is under way',
    violates: ['lease: never early', 'lease: dead'],
    edits: [
      {
        file: EXPIRY,
        find: 'if (lease === undefined || this.#isOver(lease)) return undefined;',
        replace: 'if (lease === undefined) return undefined;',
      },
      {
        file: DESK,
        find: '    if (this.#leases.isExpired(leaseId)) await this.#leases.whenSettled(leaseId);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'lease-not-extended-on-leader-change',
    breaks: 'A new leader counts the time of a lease from before it led, so that it ends early',
    violates: ['lease: never early'],
    edits: [
      {
        file: EXPIRY,
        find: '    for (const view of leases) this.#add(view, extendMs);',
        replace: '    for (const view of leases) this.#add({ ...view, remainingTtl: 1 }, 0);',
      },
    ],
  },
  {
    name: 'ttl-reset-on-leader-change',
    breaks:
      'A new leader gives a long lease its whole time again, whatever was used up (etcd 9888)',
    violates: ['lease: eventually', 'lease: prolonged'],
    edits: [
      {
        file: EXPIRY,
        find: '  return remainingTtl > 0 ? remainingTtl : ttl;',
        replace: '  return remainingTtl > ttl ? remainingTtl : ttl;',
      },
    ],
  },
  {
    name: 'lease-never-ends-after-leader-change',
    breaks: 'A new leader does not know the leases that its predecessor granted',
    violates: ['liveness', 'lease: eventually', 'lease: alive'],
    edits: [
      {
        file: EXPIRY,
        find: '    for (const view of leases) this.#add(view, extendMs);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'key-stays-with-its-old-lease',
    breaks: 'A key that was put under another lease still goes with the first one',
    violates: [
      'lease: outlives',
      'linearizable: answer',
      'linearizable: search',
      'linearizable: applied',
    ],
    edits: [
      {
        file: 'src-main/node/mvcc/kv-state.ts',
        find: "    if (from !== 0n) this.store.delete('leaseKeys', leaseKeyKey(from, key));\n",
        replace: '',
      },
    ],
  },
  {
    name: 'lease-leaves-a-key',
    breaks: 'The end of a lease leaves the last of its keys',
    violates: ['lease: outlives', 'linearizable: answer', 'linearizable: applied'],
    edits: [
      {
        file: 'src-main/node/apply/lease.ts',
        find: '  for (const key of leases.keys(ID)) {',
        replace: '  for (const key of leases.keys(ID).slice(0, 1)) {',
      },
    ],
  },
];
