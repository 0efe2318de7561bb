/** The notes that compare etcd, ZooKeeper and Consul, and what a person writes beside them. */
import { z } from 'zod';

/** Experiments that a claim may offer; each runs real calls, see services/notes-experiments.ts. */
export const EXPERIMENT_IDS = [
  'watch-history',
  'lock-fencing',
  'lease-expiry',
  'cas-loses',
  'quorum-reads',
] as const;
export type ExperimentId = (typeof EXPERIMENT_IDS)[number];

export const NOTE_SYSTEMS = ['etcd', 'zookeeper', 'consul'] as const;
export type NoteSystem = (typeof NOTE_SYSTEMS)[number];

/** A text in both languages. */
export interface NoteText {
  en: string;
  zh: string;
}

/** Where a claim was read. */
export interface NoteSource {
  title: string;
  url: string;
  /** The heading below which it stands there. */
  section: string;
}

/** What one system does, with at least one source. */
export interface NoteClaim extends NoteText {
  sources: NoteSource[];
  /** Shows on a local cluster that it is so; beside etcd alone. */
  tryIt?: ExperimentId;
}

export interface NoteRow {
  /** Unique in its topic; a person's own note hangs on it, so it must not change. */
  id: string;
  label: NoteText;
  etcd: NoteClaim;
  zookeeper: NoteClaim;
  consul: NoteClaim;
}

export interface NoteTopic {
  id: string;
  title: NoteText;
  summary: NoteText;
  rows: NoteRow[];
}

/** A person's own note beside one row. */
export interface OwnNote {
  topicId: string;
  rowId: string;
  text: string;
  updatedAtMs: number;
}

/** Characters of one own note. */
export const MAX_OWN_NOTE_CHARS = 4_000;
export const noteId = z.string().regex(/^[a-z0-9-]{1,64}$/);

const none = z.strictObject({});

export const NOTES_CALL_INPUTS = {
  'notes.list': none,
  'notes.own': none,
  /** Replaces the note beside a row; an empty text removes it. Answers all of them. */
  'notes.setOwn': z.strictObject({
    topicId: noteId,
    rowId: noteId,
    text: z.string().max(MAX_OWN_NOTE_CHARS),
  }),
} as const;

export interface NotesCallOutputs {
  'notes.list': NoteTopic[];
  'notes.own': OwnNote[];
  'notes.setOwn': OwnNote[];
}
