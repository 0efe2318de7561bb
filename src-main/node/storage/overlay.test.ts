import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { Overlay, type OverlayCursor, TOMBSTONE } from './overlay.ts';
import type { RangeBounds } from './types.ts';

function drain(cursor: OverlayCursor): string[] {
  const seen: string[] = [];
  for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
    seen.push(`${entry.key.toString()}=${entry.value ?? 'gone'}`);
  }
  expect(cursor.next()).toBeUndefined();
  return seen;
}

const name = (i: number) => `k${String(i).padStart(6, '0')}`;
const bytes = (text: string) => Buffer.from(text);

describe('the overlay', () => {
  it.each(['random', 'ascending', 'descending'])('keeps %s inserts in order', (order) => {
    const random = seededRandom(3);
    const overlay = new Overlay();
    const model = new Map<string, string>();
    let dataBytes = 0;
    for (let i = 0; i < 4000; i++) {
      const at = { random: random.below(3000), ascending: i, descending: 4000 - i }[order] ?? 0;
      const value = random.below(5) === 0 ? TOMBSTONE : bytes(`v${i}`);
      overlay.set(bytes(name(at)), value);
      model.set(name(at), value?.toString() ?? 'gone');
    }
    for (const [key, value] of model) {
      dataBytes += key.length + (value === 'gone' ? 0 : value.length);
      expect(overlay.get(bytes(key))?.toString() ?? 'gone').toBe(value);
    }
    expect(overlay.size).toBe(model.size);
    expect(overlay.dataBytes).toBe(dataBytes);
    expect(overlay.get(bytes('nothing'))).toBeUndefined();

    const sorted = [...model.keys()].sort();
    for (let i = 0; i < 300; i++) {
      const low = name(random.below(4200));
      const high = name(random.below(4200));
      const bounds: RangeBounds = { reverse: i % 2 === 0 };
      bounds[i % 3 === 0 ? 'gt' : 'gte'] = bytes(low);
      bounds[i % 5 < 2 ? 'lte' : 'lt'] = bytes(high);
      const within = sorted.filter(
        (key) => (bounds.gt ? key > low : key >= low) && (bounds.lte ? key <= high : key < high),
      );
      if (bounds.reverse) within.reverse();
      expect(drain(overlay.scan(bounds))).toEqual(within.map((key) => `${key}=${model.get(key)}`));
    }
    expect(drain(overlay.scan({})).length).toBe(model.size);
    expect(drain(overlay.scan({ reverse: true })).length).toBe(model.size);
  });

  it('is empty at first', () => {
    const overlay = new Overlay();
    expect(drain(overlay.scan({}))).toEqual([]);
    expect(drain(overlay.scan({ reverse: true, lte: bytes('x') }))).toEqual([]);
    expect(overlay.get(bytes('x'))).toBeUndefined();
  });
});
