import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcdWanted, raftdeckWanted, startTarget, type Target } from './targets.ts';

/**
 * A case drives one target, asserts what must hold anywhere, and answers a transcript to be
 * compared.
 */
export type CompatCase = (target: Target) => Promise<unknown>;

interface NamedCase {
  name: string;
  run: CompatCase;
}

/**
 * Runs every case against ours and, where it is installed, against the real etcd, and compares the
 * transcripts. Both members see the same cases in the same order.
 */
export function compatSuite(
  title: string,
  flags: string[],
  define: (it: (name: string, run: CompatCase) => void) => void,
): void {
  const cases: NamedCase[] = [];
  define((name, run) => cases.push({ name, run }));
  describe(title, () => {
    let etcd: Target | undefined;
    let raftdeck: Target | undefined;
    beforeAll(async () => {
      if (etcdWanted) etcd = await startTarget('etcd', flags);
      if (raftdeckWanted) raftdeck = await startTarget('raftdeck', flags);
    });
    afterAll(async () => {
      await etcd?.stop();
      await raftdeck?.stop();
    });
    if (!etcdWanted) {
      console.warn(`${title}: no etcd here, so ours is held to the cases' own assertions alone`);
      it.skip('COMPARISON WITH THE REAL etcd SKIPPED: it is not installed (Debian: etcd-server)');
    }
    if (!raftdeckWanted) it.skip('OURS SKIPPED by COMPAT_TARGETS');
    for (const { name, run } of cases) {
      it(name, async () => {
        const theirs = etcd === undefined ? undefined : await run(etcd);
        if (raftdeck === undefined) return;
        const ours = await run(raftdeck);
        if (etcd !== undefined) expect(ours).toEqual(theirs);
      });
    }
  });
}
