/** Scenarios of the fault lab, as they cross to the views. */

export interface LocalText {
  en: string;
  zh: string;
}

export interface ScenarioInfo {
  id: string;
  title: LocalText;
  summary: LocalText;
  /** Least number of members. */
  members: number;
  steps: {
    /** What is done, and why. `{name}` is filled from the progress's words. */
    say: LocalText;
    /** What is waited for. */
    lookFor: LocalText | null;
  }[];
}

export type ScenarioStepState = 'waiting' | 'doing' | 'watching' | 'seen' | 'missed';

export interface ScenarioProgress {
  id: string;
  /** healing: what was done to the members is taken back, and the keys are removed. */
  state: 'playing' | 'healing' | 'done' | 'failed';
  /** What the texts name: members by their part, and what was found. */
  words: Record<string, string>;
  steps: { state: ScenarioStepState; tookMs: number | null }[];
  /** Why it failed, or could not be put right. */
  error: string | null;
}

/** One read of one member, serializable or linearizable. */
export interface ReadView {
  /** null: there is no such key. */
  value: Uint8Array | null;
  modRevision: number;
  /** The member's revision when it answered. */
  revision: number;
  tookMs: number;
}

export interface ConsistencyView {
  members: {
    name: string;
    /** null: nothing was heard yet. */
    serializable: ReadView | { error: string } | null;
    linearizable: ReadView | { error: string } | null;
  }[];
  atMs: number;
}
