import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../../src-main/base/prng.ts';
import { Machine } from '../../../src-main/node/apply/testing/machine.ts';
import { MemoryStore } from '../../../src-main/node/apply/testing/memory-store.ts';
import { readMarker, writeMarker } from '../../../src-main/node/server/data-dir.ts';
import * as meta from '../../../src-main/node/storage/schema/meta.ts';
import { idKey } from '../../../src-main/node/storage/schema/numbers.ts';
import {
  alarmKey,
  encodeLease,
  encodeMember,
  PRESENT,
} from '../../../src-main/node/storage/schema/small-tables.ts';
import { checkStateFile } from '../../../src-main/node/storage/state-file.ts';
import type { TableName } from '../../../src-main/node/storage/types.ts';
import { MemoryFiles } from '../../../src-main/node/wal/testing/memory-files.ts';
import { Member } from '../../../src-main/proto/etcd/rpc.ts';
import { ConfState } from '../../../src-main/proto/raftdeck/raft.ts';
import { mutated, oneOf } from '../mutate.ts';
import { Finding, refusedBy, type Target } from '../target.ts';

/** Rows that a start reads, each with a sound one; those of the keys alone stand in the key. */
const ROWS: { table: TableName; key: Buffer | undefined; sample: Buffer }[] = [
  {
    table: 'meta',
    key: meta.META_APPLIED,
    sample: meta.encodeApplied({ index: 9, term: 2, revision: 7, keyCount: 0 }),
  },
  {
    table: 'meta',
    key: meta.META_COMPACTION,
    sample: meta.encodeCompaction({
      scheduled: 6,
      running: 6,
      finished: 3,
      cursorMain: 4,
      cursorSub: 1,
    }),
  },
  {
    table: 'meta',
    key: meta.META_CONF_STATE,
    sample: meta.encodeConfState(
      ConfState.fromPartial({ voters: [1n, 2n, 2n ** 64n - 1n], learners: [3n], autoLeave: true }),
    ),
  },
  { table: 'meta', key: meta.META_CLUSTER_VERSION, sample: Buffer.from('3.5.0') },
  {
    table: 'leases',
    key: idKey(7n),
    sample: encodeLease({ id: 7n, ttl: 60, remainingTtl: 9 }),
  },
  {
    table: 'members',
    key: idKey(5n),
    sample: encodeMember(
      Member.fromPartial({ ID: 5n, name: 'm', peerURLs: ['http://127.0.0.1:2380'] }),
    ),
  },
  { table: 'members', key: undefined, sample: idKey(5n) },
  { table: 'alarms', key: undefined, sample: alarmKey({ memberID: 5n, alarm: 1 }) },
];

/** One row that is read at the start. */
function runRow(kind: number, bytes: Buffer): void {
  const { table, key } = ROWS[kind] as (typeof ROWS)[number];
  const store = new MemoryStore();
  if (key === undefined) store.put(table, bytes, table === 'members' ? Buffer.alloc(0) : PRESENT);
  else store.put(table, key, bytes);
  let machine: Machine;
  try {
    machine = new Machine(store);
  } catch (error) {
    refusedBy(['StateCorrupt'], error);
    return;
  }
  const { state } = machine;
  state.leases();
  state.members();
  state.alarms();
  if (key !== meta.META_APPLIED) return;
  const { appliedIndex: index, appliedTerm: term, revision } = state;
  const back = meta.encodeApplied({ ...meta.decodeApplied(bytes), index, term, revision });
  if (!back.equals(bytes)) throw new Finding('what is applied is read as something else');
}

const DIR = '/data';
const MARKER = 'raftdeck-node.json';

async function sampleMarker(): Promise<Buffer> {
  const files = new MemoryFiles();
  const ids = { clusterId: 'ab12', memberId: '7' };
  await writeMarker(files, DIR, { format: 1, name: 'm', ...ids, token: 't', removed: true });
  return files.get(DIR, MARKER);
}

async function runMarker(bytes: Buffer): Promise<void> {
  const files = new MemoryFiles();
  files.put(DIR, MARKER, bytes);
  try {
    const { name, clusterId, memberId, token, removed } = (await readMarker(files, DIR)) ?? {};
    const texts = [name, clusterId, memberId, token ?? ''];
    if (texts.some((text) => typeof text !== 'string')) throw new Finding('a marker without names');
    if (removed !== undefined && typeof removed !== 'boolean') throw new Finding('removed, or not');
  } catch (error) {
    refusedBy(['DataDirUnusable'], error);
  }
}

/** Two meta pages of LMDB, as far as they are looked at. */
function sampleStateFile(): Buffer {
  const pageBytes = 4096;
  const file = Buffer.alloc(3 * pageBytes);
  for (const at of [0, pageBytes]) {
    file.writeUInt32LE(0xbeefc0de, at + 24);
    file.writeUInt16LE(2, at + 28);
    file.writeUInt32LE(pageBytes, at + 48);
    file.writeBigUInt64LE(2n, at + 144);
  }
  return file;
}

/** Rows, the marker and the head of the state's file: what a folder may hold at a start. */
export async function recordsTarget(): Promise<Target> {
  const dir = mkdtempSync(join(tmpdir(), 'raftdeck-fuzz-'));
  const path = join(dir, 'state');
  const [marker, stateFile] = [ROWS.length, ROWS.length + 1];
  const samples = [...ROWS.map(({ sample }) => sample), await sampleMarker(), sampleStateFile()];
  const seeds = samples.map((sample, kind) => Buffer.concat([Buffer.from([kind]), sample]));
  const generate = (random: Random) => {
    const [kind, sample] = oneOf(random, [...samples.entries()]);
    return Buffer.concat([Buffer.from([kind]), mutated(random, [sample], 16 * 1024)]);
  };
  return {
    seeds,
    generate,
    async run(input) {
      const kind = (input[0] ?? 0) % samples.length;
      const bytes = input.subarray(1);
      if (kind === marker) return runMarker(bytes);
      if (kind !== stateFile) return runRow(kind, bytes);
      writeFileSync(path, bytes);
      try {
        checkStateFile(path);
      } catch (error) {
        refusedBy(['StateCorrupt'], error);
      }
    },
    close: async () => rmSync(dir, { recursive: true, force: true }),
  };
}
