import type { Message } from '../../proto/raftdeck/raft.ts';
import { ENTRY_OVERHEAD_BYTES } from './log.ts';

/** Bytes of proposals that wait for a leader; further ones are lost, as on a network. */
export const MAX_HELD_BYTES: number = 8 * 1024 * 1024;

/**
 * Proposals that other members sent here while leadership passes on: dropped ones would leave their clients without
 * an answer until they time out. Each is passed on at most once, so none can be applied twice by it.
 */
export class HeldProposals {
  #messages: Message[] = [];
  #bytes = 0;
  /** Ticks since the first of them came. */
  #age = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  add(message: Message): void {
    let bytes = 0;
    for (const { data } of message.entries) bytes += data.length + ENTRY_OVERHEAD_BYTES;
    if (this.#bytes + bytes > MAX_HELD_BYTES) return;
    this.#messages.push(message);
    this.#bytes += bytes;
  }

  take(): Message[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    this.#age = 0;
    return messages;
  }

  /** A leader that has not appeared within an election timeout will not do so for these. */
  tick(limitTicks: number): void {
    if (this.isEmpty) return;
    this.#age++;
    if (this.#age > limitTicks) this.take();
  }
}
