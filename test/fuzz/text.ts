import type { Random } from '../../src-main/base/prng.ts';
import { oneOf } from './mutate.ts';

const ODD_TEXTS: readonly string[] = [
  ...['', ' ', '\0', '\n', '\t', '"', "'", '\\', '%', '%00', '%2e%2e', '..', '/', '//', '?', '#'],
  ...[
    '@',
    ':',
    ',',
    '=',
    '-',
    '--',
    '[',
    ']',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '{',
    '}',
    '\u{1f600}',
  ],
  ...['\ud800', '\u2028', '\ufeff', 'é', 'ı', 'K', '０', '0', '-1', '1e9', '1e999', '0x10', 'NaN'],
  ...['Infinity', '65535', '65536', '99999', '2147483648', '9007199254740993', '1h', '1.5s', 'µs'],
  ...['true', 'null', '__proto__', 'constructor', 'toString', 'http://', 'https://', 'unix://'],
];
const MAX_REPEATS = 20_000;

/** A few changes to a text that is sound, or that another one is mixed into. */
export function mutatedText(random: Random, samples: readonly string[]): string {
  let text = oneOf(random, samples);
  for (let i = 1 + random.below(4); i > 0; i--) text = changedText(random, text, samples);
  return text;
}

function changedText(random: Random, text: string, samples: readonly string[]): string {
  const from = random.below(text.length + 1);
  const to = Math.min(text.length, from + 1 + random.below(oneOf(random, [1, 4, 30])));
  const odd = oneOf(random, ODD_TEXTS);
  switch (random.below(6)) {
    case 0:
      return text.slice(0, from) + text.slice(to);
    case 1:
      return text.slice(0, from) + odd + text.slice(from);
    case 2:
      return text.slice(0, from) + odd + text.slice(to);
    case 3:
      return text.slice(0, from) + oneOf(random, samples).slice(from);
    case 4:
      return text.slice(0, from) + String.fromCharCode(random.below(300)) + text.slice(to);
    default: {
      // What takes square time shows with many of the same.
      const piece = text.slice(from, to) || odd;
      const most = oneOf(random, [3, 40, MAX_REPEATS]);
      const times = Math.min(1 + random.below(most), Math.ceil(MAX_REPEATS / (piece.length || 1)));
      return text.slice(0, to) + piece.repeat(times) + text.slice(to);
    }
  }
}
