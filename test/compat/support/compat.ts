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

/** Waits for all of them, also if one fails: nothing is left running behind a case that is over. */
async function together(...all: unknown[]): Promise<unknown[]> {
  await Promise.allSettled(all);
  return Promise.all(all);
}

/**
 * Runs every case against ours and, where it is installed, against the real etcd, and compares the
 * transcripts. Both members see the same cases in the same order, and each case at the same time: most of them wait.
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
      await together(
        etcdWanted && startTarget('etcd', flags).then((target) => (etcd = target)),
        raftdeckWanted && startTarget('raftdeck', flags).then((target) => (raftdeck = target)),
      );
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
        const [theirs, ours] = await together(etcd && run(etcd), raftdeck && run(raftdeck));
        if (etcd !== undefined && raftdeck !== undefined) expect(ours).toEqual(theirs);
      });
    }
  });
}
