import { join } from 'node:path';
import { idToHex } from '../../base/bytes.ts';
import { CodedError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Member } from '../../proto/etcd/rpc.ts';
import type { ConfState, HardState } from '../../proto/raftdeck/raft.ts';
import { type BatchingStateMachine, createStateMachine } from '../apply/state-machine.ts';
import { restoreState } from '../bolt/from-etcd.ts';
import type { NodeConfig } from '../config.ts';
import { clusterId, memberId } from '../membership/identity.ts';
import type { RaftRestore } from '../raft/types.ts';
import { META_APPLIED } from '../storage/schema/meta.ts';
import type { StateStore } from '../storage/types.ts';
import type { WalGroupState, WalMetadata, WriteAheadLog } from '../wal/types.ts';
import { createWal, openWal, walExists } from '../wal/wal.ts';
import { type NodeMarker, readMarker, writeMarker } from './data-dir.ts';
import type { NodeIo } from './io.ts';
import { joinCluster } from './join.ts';
import { selfId, whyForeign } from './ownership.ts';

/** The one Raft group that a node runs today. */
export const GROUP = 0;

export interface Opened {
  identity: WalMetadata;
  wal: WriteAheadLog;
  store: StateStore;
  state: BatchingStateMachine;
  restore: RaftRestore;
}

const EMPTY_HARD_STATE: HardState = { term: 0, vote: 0n, commit: 0 };

/** The entry that the first configuration stands for. */
const FIRST = { index: 1, term: 1 };

export function emptyConfState(voters: bigint[]): ConfState {
  return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/**
 * Opens the data folder, or makes a new one from the initial cluster. Everything that makes a folder unusable is a
 * CodedError that says what to do; nothing is changed in a folder that is refused.
 */
export async function openNode(config: NodeConfig, io: NodeIo, logger: Logger): Promise<Opened> {
  const { disk, schedule } = io;
  disk.claim(config.dataDir);
  const marker = await readMarker(disk.files, config.dataDir);
  if (marker?.removed === true) throw memberRemoved();
  const walDir = join(config.dataDir, 'member', 'wal');
  const stateDir = join(config.dataDir, 'member', 'state');
  await disk.files.makeFolder(stateDir);
  // The store's lock comes first: a second process on the same folder must not even read the log.
  const store = await disk.openStore(stateDir);
  try {
    // Before anything reads the state into memory. A start that was cut short later has it already.
    const isEmpty = marker === undefined && store.get('meta', META_APPLIED) === undefined;
    if (config.restoreFrom !== undefined && isEmpty) {
      const restored = await restoreState(store, config.restoreFrom);
      logger.info('restored from a snapshot', { file: config.restoreFrom, ...restored });
    }
    const options = {
      maxTxnOps: config.maxTxnOps,
      quotaBytes: config.quotaBackendBytes,
      memberId: selfId(config),
    };
    const state = createStateMachine(store, options, { schedule });
    if (marker === undefined) return await createNew(config, io, logger, walDir, store, state);
    // It comes last at a first start, so there was a log: without it a member could vote twice in a term.
    if (!(await walExists(walDir, disk))) throw logMissing(walDir);
    return await reopen(config, io, logger, marker, walDir, store, state);
  } catch (error) {
    await store.close();
    throw error;
  }
}

function memberRemoved(): CodedError {
  return new CodedError('MemberRemoved', 'this member has been removed from the cluster', {
    hint: 'To bring it back, remove its data folder, add it as a new member, and let it join.',
  });
}

function logMissing(walDir: string): CodedError {
  return new CodedError('WalMissing', `${walDir} has no write-ahead log`, {
    hint: 'Put the log back; or remove this member from the cluster and its folder, and add it anew.',
  });
}

/** What a first start begins with. */
interface Beginning {
  identity: WalMetadata;
  members: Member[];
  confState: ConfState;
  hardState: HardState;
  /** The entry that the configuration stands for. */
  at: { index: number; term: number };
}

/**
 * The first members all begin with the same configuration, which no entry carries. It counts as the log's first entry
 * (etcd has one entry for each first member), so that the log never begins at its beginning: whoever joins later gets
 * the configuration with a snapshot.
 */
function foundCluster(config: NodeConfig): Beginning {
  const members = config.initialCluster.map(
    ({ name, peerUrls }): Member => ({
      ID: memberId(peerUrls, config.initialClusterToken),
      name,
      peerURLs: peerUrls,
      clientURLs: [],
      isLearner: false,
    }),
  );
  return {
    identity: {
      clusterId: clusterId(config.initialCluster, config.initialClusterToken),
      memberId: selfId(config),
    },
    members,
    confState: emptyConfState(members.map(({ ID }) => ID).sort((a, b) => (a < b ? -1 : 1))),
    hardState: { term: FIRST.term, vote: 0n, commit: FIRST.index },
    at: FIRST,
  };
}

/** One that joins knows who is there, and nothing else: it has no vote before the leader's snapshot gives it one. */
async function enterCluster(config: NodeConfig, io: NodeIo, logger: Logger): Promise<Beginning> {
  const { clusterId, memberId, members } = await joinCluster(config, io, logger);
  return {
    identity: { clusterId, memberId },
    members,
    confState: emptyConfState([]),
    hardState: EMPTY_HARD_STATE,
    at: { index: 0, term: 0 },
  };
}

async function createNew(
  config: NodeConfig,
  io: NodeIo,
  logger: Logger,
  walDir: string,
  store: StateStore,
  state: BatchingStateMachine,
): Promise<Opened> {
  const joins = config.initialClusterState === 'existing';
  const { identity, members, confState, hardState, at } = joins
    ? await enterCluster(config, io, logger)
    : foundCluster(config);
  // A first start that was cut short has bootstrapped the state already.
  if (state.appliedIndex === 0) state.bootstrap(confState, members, at.index, at.term);
  store.endBatch();
  await store.flush();
  const initial = [{ group: GROUP, hardState, snapshot: { ...at, confState } }];
  const wal = await createWal(walDir, identity, initial, io.disk);
  // Last: without the marker the next start begins anew, with it everything is in place.
  await writeMarker(io.disk.files, config.dataDir, {
    format: 1,
    name: config.name,
    clusterId: idToHex(identity.clusterId),
    memberId: idToHex(identity.memberId),
    token: config.initialClusterToken,
  });
  const restore: RaftRestore = {
    hardState,
    confState,
    snapshot: at,
    entries: [],
    applied: at.index,
  };
  return { identity, wal, store, state, restore };
}

async function reopen(
  config: NodeConfig,
  io: NodeIo,
  logger: Logger,
  marker: NodeMarker | undefined,
  walDir: string,
  store: StateStore,
  state: BatchingStateMachine,
): Promise<Opened> {
  const { wal, recovery } = await openWal(walDir, io.disk);
  if (recovery.tornBytes > 0) {
    logger.warn('cut a torn tail off the write-ahead log', { bytes: recovery.tornBytes });
  }
  if (state.members().length === 0) {
    await wal.close();
    throw new CodedError(
      'StateMissing',
      `${config.dataDir}/member/state is empty but there is a log`,
      {
        hint: 'Put the state back; or remove this member from the cluster and its folder, and add it anew.',
      },
    );
  }
  const { memberId } = recovery.metadata;
  const foreign = whyForeign(config, marker, memberId, state.members());
  if (foreign !== undefined) {
    await wal.close();
    throw new CodedError(
      'DataDirForeign',
      `data folder ${config.dataDir} belongs to member ${idToHex(memberId)}${foreign}`,
      { hint: 'Use the peer URLs and the cluster token it was made with, or another --data-dir.' },
    );
  }
  if (state.isRemoved(memberId)) {
    await wal.close();
    throw memberRemoved();
  }
  const group = recovery.groups.get(GROUP);
  if (group === undefined) throw logMissing(walDir);
  const restore = await reconcile(wal, group, state);
  logger.info('restarted from disk', {
    applied: restore.applied,
    commit: restore.hardState.commit,
    lastIndex: restore.entries.at(-1)?.index ?? restore.snapshot.index,
    term: restore.hardState.term,
  });
  return { identity: recovery.metadata, wal, store, state, restore };
}

/**
 * Brings log and state together. Normally the log reaches past the applied index. Only a crash between installing a
 * snapshot and marking it in the log leaves the state ahead: then the state is the truth and the log starts after it.
 */
async function reconcile(
  wal: WriteAheadLog,
  group: WalGroupState,
  state: BatchingStateMachine,
): Promise<RaftRestore> {
  const applied = state.appliedIndex;
  const confState = state.confState ?? group.snapshot.confState;
  const commit = Math.max(group.hardState.commit, applied, group.snapshot.index);
  if (applied < group.snapshot.index) {
    throw new CodedError(
      'StateBehindLog',
      `the state holds entries up to ${applied}, the log starts after ${group.snapshot.index}`,
      { hint: 'The state folder was replaced by an older one. Put back the newest, or rejoin.' },
    );
  }
  const at = group.entries[applied - group.snapshot.index - 1];
  const covered = applied === group.snapshot.index || at?.term === state.appliedTerm;
  if (!covered) {
    const mark = { index: applied, term: state.appliedTerm, confState };
    const hardState = {
      ...group.hardState,
      term: Math.max(group.hardState.term, state.appliedTerm),
      commit: applied,
    };
    await wal.append([{ group: GROUP, hardState, snapshot: mark }]);
    return {
      hardState,
      confState,
      snapshot: { index: applied, term: state.appliedTerm },
      entries: [],
      applied,
    };
  }
  const last = group.entries.at(-1)?.index ?? group.snapshot.index;
  return {
    hardState: { ...group.hardState, commit: Math.min(commit, last) },
    confState,
    snapshot: { index: group.snapshot.index, term: group.snapshot.term },
    entries: group.entries,
    applied,
  };
}
