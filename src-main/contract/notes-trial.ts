/** One run of an experiment, as it happens. Words are the view's; what was sent and came back is not. */
import { z } from 'zod';
import { clusterId } from './calls.ts';
import { EXPERIMENT_IDS } from './notes.ts';

/** Who makes a call. Members of a cluster go by their own names. */
export type TrialActor =
  | 'a'
  | 'b'
  | 'writer'
  | 'stream'
  | 'oneShot'
  | 'late'
  | 'observer'
  | { node: string };

/** What is going on, in between; the view has the sentence. */
export type TrialSay =
  | 'oneShotArmed'
  | 'oneShotTold'
  | 'oneShotReads'
  | 'lateOpens'
  | 'bothRead'
  | 'bothWrite'
  | 'lockTaken'
  | 'holderSilent'
  | 'holderWakes'
  | 'waitsForExpiry'
  | 'clusterStarts'
  | 'clusterReady'
  | 'isolates'
  | 'isolated'
  | 'majorityWrites'
  | 'heals';

/** What is looked at in the end. A claim was seen to hold when all of an experiment's checks did. */
export type TrialCheck =
  | 'streamSawAll'
  | 'oneShotMissed'
  | 'lateSawAll'
  | 'firstWon'
  | 'secondLost'
  | 'loserSawWinner'
  | 'nothingOverwritten'
  | 'tokenGrows'
  | 'lateRefused'
  | 'guardedKept'
  | 'unguardedOverwritten'
  | 'leaseKeysGone'
  | 'otherKeyStays'
  | 'notBeforeTtl'
  | 'linearizableFailed'
  | 'serializableAnswered'
  | 'serializableWasStale'
  | 'majorityWent'
  | 'healedReadIsNew';

export type TrialParams = Record<string, string | number>;

/** Times are milliseconds since the run began. */
export type TrialItem =
  | { kind: 'begin'; cluster: string; prefix: string }
  | { kind: 'say'; say: TrialSay; params: TrialParams; atMs: number }
  | {
      kind: 'sent';
      call: number;
      who: TrialActor;
      method: string;
      request: string;
      atMs: number;
    }
  | { kind: 'answer'; call: number; ok: boolean; response: string; atMs: number }
  | { kind: 'event'; who: TrialActor; text: string; atMs: number }
  | { kind: 'check'; check: TrialCheck; params: TrialParams; held: boolean }
  /** What was removed again; `left` keys are still there, null where nobody could tell. */
  | { kind: 'cleanup'; keys: number; leases: number; left: number | null; cluster: string | null }
  | { kind: 'verdict'; held: boolean };

export const NOTES_STREAM_INPUTS = {
  /** Runs an experiment on a local cluster, ends with it, and removes all that it made. */
  'notes.try': z.strictObject({ clusterId, experiment: z.enum(EXPERIMENT_IDS) }),
} as const;

export interface NotesStreamItems {
  'notes.try': TrialItem;
}
