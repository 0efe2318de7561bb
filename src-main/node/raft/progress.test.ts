import { describe, expect, it } from 'vitest';
import { Inflights } from './inflights.ts';
import { Progress } from './progress.ts';

describe('Inflights', () => {
  it('fills, frees from the oldest on, and wraps around', () => {
    const window = new Inflights(3);
    for (const index of [5, 7, 9]) window.add(index);
    expect(window.full).toBe(true);
    expect(() => window.add(10)).toThrow('full');
    window.freeUpTo(4);
    expect(window.count).toBe(3);
    window.freeUpTo(7);
    expect(window.count).toBe(1);
    window.add(11);
    window.add(12);
    expect(window.full).toBe(true);
    window.freeUpTo(11);
    expect(window.count).toBe(1);
    window.clear();
    expect(window.count).toBe(0);
  });
});

describe('Progress', () => {
  const probing = () => new Progress(2n, 10, 2, false);
  const replicating = () => {
    const progress = probing();
    progress.acknowledge(9);
    progress.becomeReplicate();
    return progress;
  };

  it('probes with one append at a time', () => {
    const progress = probing();
    progress.sent(12, 0);
    expect([progress.paused, progress.next]).toEqual([true, 10]);
    expect(progress.acknowledge(12)).toBe(true);
    expect([progress.paused, progress.match, progress.next]).toEqual([false, 12, 13]);
  });

  it('pipelines within the window', () => {
    const progress = replicating();
    progress.sent(11, 9);
    progress.sent(12, 9);
    expect([progress.paused, progress.next, progress.inflights.count]).toEqual([true, 13, 2]);
    progress.acknowledge(11);
    progress.inflights.freeUpTo(11);
    expect(progress.paused).toBe(false);
    // An append without entries takes no place.
    progress.sent(12, 12);
    expect([progress.inflights.count, progress.sentCommit]).toEqual([1, 12]);
  });

  it('goes back to the hint, and not below what is known to match', () => {
    const progress = probing();
    expect(progress.refuse(9, 4)).toBe(true);
    expect(progress.next).toBe(5);
    // An answer to an earlier probe.
    expect(progress.refuse(9, 1)).toBe(false);
    expect(progress.next).toBe(5);
    progress.acknowledge(3);
    expect(progress.refuse(4, 0)).toBe(true);
    expect(progress.next).toBe(4);
  });

  it('makes some headway even if the hint does not help', () => {
    const progress = probing();
    expect(progress.refuse(9, 50)).toBe(true);
    expect(progress.next).toBe(9);
  });

  it('falls back to probing from the match when pipelining fails', () => {
    const progress = replicating();
    progress.sent(11, 9);
    expect(progress.refuse(9, 0)).toBe(false);
    expect(progress.refuse(11, 3)).toBe(true);
    expect([progress.state, progress.next, progress.inflights.count]).toEqual(['probe', 10, 0]);
  });

  it('continues after a snapshot that arrived, and before one that failed', () => {
    const progress = probing();
    progress.acknowledge(3);
    progress.becomeSnapshot(40);
    expect(progress.paused).toBe(true);
    expect(progress.refuse(9, 0)).toBe(false);
    progress.becomeProbe();
    expect([progress.next, progress.pendingSnapshot]).toEqual([41, 0]);
    progress.becomeSnapshot(50);
    progress.pendingSnapshot = 0;
    progress.becomeProbe();
    expect(progress.next).toBe(4);
    expect(() => progress.becomeSnapshot(3)).toThrow('already has');
  });

  it('never takes an acknowledgement back', () => {
    const progress = replicating();
    expect(progress.acknowledge(9)).toBe(false);
    expect(progress.acknowledge(5)).toBe(false);
    expect(progress.match).toBe(9);
  });
});
