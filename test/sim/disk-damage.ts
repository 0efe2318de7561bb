import { CodedError } from '../../src-main/base/errors.ts';
import { type Recovered, recover } from '../../src-main/node/wal/recover.ts';
import type { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import { count } from './coverage.ts';
import type { SimMember } from './sim-member.ts';
import { SimProcess } from './sim-process.ts';

/**
 * Flips one bit of a member's log while it is down. The log must then open as it was, or be refused; a member that is
 * refused is lost. Only the last record may go silently: nothing tells it from one that a crash tore.
 */
export async function damageDisk(
  cluster: SimCluster,
  member: SimMember,
  chance: Chance,
): Promise<void> {
  const { recorder } = cluster;
  member.heldDown = true;
  member.crash(false);
  member.heldDown = true;
  const before = await readLog(cluster, member);
  const paths = member.disk.paths().filter((path) => path.endsWith('.wal'));
  const path = chance.pick(paths);
  const file = path === undefined ? undefined : member.disk.file(path);
  // A log that no crash could leave, or none at all, is not what this is about.
  if (file === undefined || path === undefined || file.length === 0 || 'error' in before) {
    member.heldDown = false;
    member.start();
    return;
  }
  const bit = chance.below(file.length * 8);
  file.flipBit(bit);
  count(recorder.coverage, 'bits flipped');
  const after = await readLog(cluster, member);
  member.heldDown = false;
  if ('error' in after) {
    const isCoded = after.error instanceof CodedError;
    if (!isCoded) recorder.violation('bit rot', `${member.name} ${path}`, after.error);
    count(recorder.coverage, 'rot refused');
    member.lose(`bit ${bit} of ${path}`);
    return;
  }
  if (after.summary === before.summary) {
    member.start();
    return;
  }
  if (after.tornBytes === 0) {
    recorder.violation('bit rot', member.name, `bit ${bit} of ${path} changed what the log says`);
  }
  member.lose(`bit ${bit} of ${path}, in its last record`);
}

type Reading = { summary: string; tornBytes: number } | { error: unknown };

/** Reads it as the next start would. */
async function readLog({ world }: SimCluster, member: SimMember): Promise<Reading> {
  const reader = new SimProcess(world, () => {});
  try {
    const dir = `${member.config.dataDir}/member/wal`;
    const recovered = await recover(member.disk.filesFor(reader), dir);
    return { summary: summarize(recovered), tornBytes: recovered.recovery.tornBytes };
  } catch (error) {
    return { error };
  }
}

function summarize({ recovery }: Recovered): string {
  const groups = [...recovery.groups.values()].map(({ hardState, snapshot, entries }) => ({
    hardState,
    snapshot,
    entries: entries.map(({ index, term, data }) => [index, term, data.toString('base64')]),
  }));
  return JSON.stringify(groups, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString(16) : value,
  );
}
