import { assert } from '../../base/assert.ts';
import { Inflights } from './inflights.ts';
import type { ProgressView, RaftId } from './types.ts';

export type ProgressState = ProgressView['state'];

/**
 * What the leader knows of one member (thesis 10.2.1; the states are etcd's).
 * - probe: where the logs agree is not known; one append at a time.
 * - replicate: it follows; appends are pipelined within the window.
 * - snapshot: it needs entries that are gone; a snapshot is on its way and appends wait.
 */
export class Progress {
  readonly id: RaftId;
  readonly inflights: Inflights;
  learner: boolean;
  state: ProgressState = 'probe';
  /**
   * Highest index known to be durable there and equal to the leader's log. Never goes down in a
   * term.
   */
  match = 0;
  /**
   * First index of the next append. Always > match; in replicate all in [match + 1, next) are under
   * way.
   */
  next: number;
  /** Index of the snapshot that is under way; 0 unless the state is snapshot. */
  pendingSnapshot = 0;
  /** Heard from since the last quorum check. */
  recentActive = false;
  /**
   * Probe only: one append is under way, the next one waits for an answer or a heartbeat's answer.
   */
  probeSent = false;
  /**
   * Send at the next flush even if there is nothing new: the answer shows where the follower
   * stands.
   */
  nudge = false;
  /**
   * Highest commit index that appends have told it; <= next - 1. What gets lost, heartbeats repeat.
   */
  sentCommit = 0;
  /** Highest round of reads that it has confirmed; never goes down in a term. */
  readAck = 0;

  constructor(id: RaftId, next: number, maxInflightAppends: number, learner: boolean) {
    assert(next > 0, 'next index starts at 1');
    this.id = id;
    this.next = next;
    this.learner = learner;
    this.inflights = new Inflights(maxInflightAppends);
  }

  /** No entries may be sent now. */
  get paused(): boolean {
    if (this.state === 'probe') return this.probeSent;
    return this.state === 'snapshot' || this.inflights.full;
  }

  becomeProbe(): void {
    // A snapshot that has arrived moves the start; one that failed does not (pendingSnapshot is 0
    // then).
    this.next = Math.max(this.match + 1, this.pendingSnapshot + 1);
    this.#reset('probe');
  }

  becomeReplicate(): void {
    this.next = this.match + 1;
    this.#reset('replicate');
  }

  becomeSnapshot(index: number): void {
    assert(index > this.match, 'snapshot of what the member already has');
    this.#reset('snapshot');
    this.pendingSnapshot = index;
  }

  #reset(state: ProgressState): void {
    this.state = state;
    this.probeSent = false;
    this.pendingSnapshot = 0;
    this.inflights.clear();
    this.sentCommit = Math.min(this.sentCommit, this.match);
  }

  /** The member has everything up to the index. False if that was known. */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.probeSent = false;
    return true;
  }

  /**
   * The member refused the append after `rejected`; its log may agree up to `hint`. False for an
   * answer that later ones have overtaken: answers may be reordered and repeated.
   */
  refuse(rejected: number, hint: number): boolean {
    if (this.state === 'snapshot') return false;
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.probeSent = false;
    return true;
  }

  /**
   * Entries up to lastIndex went out, with this commit index; none went if lastIndex is next - 1.
   */
  sent(lastIndex: number, commit: number): void {
    assert(lastIndex >= this.next - 1, 'append that ends before it starts');
    if (this.state === 'replicate') {
      if (lastIndex >= this.next) this.inflights.add(lastIndex);
      this.next = lastIndex + 1;
    } else {
      this.probeSent = true;
    }
    this.sentCommit = Math.max(this.sentCommit, Math.min(commit, lastIndex));
    this.nudge = false;
  }

  view(): ProgressView {
    return {
      id: this.id,
      match: this.match,
      next: this.next,
      state: this.state,
      inflight: this.inflights.count,
      recentActive: this.recentActive,
      learner: this.learner,
    };
  }
}
