/** A value in one of its views: as text of some language, as bytes, or why it cannot be shown so. */
import { fromBase64, toBase64, utf8Decode } from '../../../lib/bytes.ts';
import { inspectContent, type ViewKind } from './content.ts';
import { toHexText } from './hex.ts';
import { formatJson } from './json-text.ts';
import { decodeKubernetes } from './kubernetes.ts';
import { format, type Language } from './languages.ts';
import { MAX_UNPACKED_BYTES, unpack } from './unpack.ts';
import { decodeWire, printWire } from './wire.ts';

export type Shown =
  | { kind: 'text'; text: string; language: Language; facts: Fact[] }
  | { kind: 'bytes'; bytes: Uint8Array; facts: Fact[] }
  | { kind: 'problem'; reason: 'tooLarge'; maxBytes: number }
  | { kind: 'problem'; reason: 'broken' | 'notMessage' | 'notKubernetes' };

/** What is said of a value besides its text. */
export type Fact =
  | { kind: 'unpacked'; from: 'gzip' | 'zlib' | 'base64'; bytes: number; as: ViewKind }
  | { kind: 'object'; apiVersion: string; object: string; name: string; namespace: string };

/** Compressed in base64 in base64 …: this many layers are taken off. */
const MAX_LAYERS = 3;
const BASE64_LINE_CHARS = 76;

/** What can be shown at once; null where it takes work in the background. */
export function renderNow(value: Uint8Array, kind: ViewKind): Shown | null {
  switch (kind) {
    case 'hex':
      return { kind: 'bytes', bytes: value, facts: [] };
    case 'base64':
      return asText(wrapped(toBase64(value)), 'text');
    case 'json':
      return asText(formatJson(textOf(value)), 'json');
    case 'yaml':
    case 'text':
      return asText(textOf(value), kind);
    case 'protobuf': {
      const fields = decodeWire(value);
      if (fields === null) return { kind: 'problem', reason: 'notMessage' };
      return asText(printWire(fields), 'text');
    }
    case 'kubernetes':
      return renderKubernetes(value);
    default:
      return null;
  }
}

export async function render(value: Uint8Array, kind: ViewKind, layer = 0): Promise<Shown> {
  const now = renderNow(value, kind);
  if (now !== null) return now;
  if (kind === 'xml') {
    const text = textOf(value);
    return asText((await format('xml', text)) ?? text, 'xml');
  }
  if (kind === 'decoded') {
    const inner = fromBase64(textOf(value));
    return inner === null ? { kind: 'problem', reason: 'broken' } : layered(inner, 'base64', layer);
  }
  const { packing } = inspectContent(value);
  if (packing === null) return { kind: 'problem', reason: 'broken' };
  const unpacked = await unpack(value, packing);
  if (unpacked.ok) return layered(unpacked.bytes, packing, layer);
  return unpacked.reason === 'broken'
    ? { kind: 'problem', reason: 'broken' }
    : { kind: 'problem', reason: 'tooLarge', maxBytes: MAX_UNPACKED_BYTES };
}

/** What was inside, in the view that suits it. */
async function layered(
  bytes: Uint8Array,
  from: 'gzip' | 'zlib' | 'base64',
  layer: number,
): Promise<Shown> {
  const { best } = inspectContent(bytes);
  const isLayer = best === 'unpacked' || best === 'decoded';
  const as = isLayer && layer + 1 >= MAX_LAYERS ? 'hex' : best;
  const inner = await render(bytes, as, layer + 1);
  if (inner.kind === 'problem') return inner;
  const fact: Fact = { kind: 'unpacked', from, bytes: bytes.length, as };
  return { ...inner, facts: [fact, ...inner.facts] };
}

function renderKubernetes(value: Uint8Array): Shown {
  const object = decodeKubernetes(value);
  if (object === null) return { kind: 'problem', reason: 'notKubernetes' };
  const { apiVersion, kind, name, namespace, text } = object;
  const fact: Fact = { kind: 'object', apiVersion, object: kind, name, namespace };
  return { kind: 'text', text, language: 'yaml', facts: [fact] };
}

/** Lines to compare: as in the view if that is text, else a dump of the bytes. */
export async function linesOf(value: Uint8Array, kind: ViewKind): Promise<string[]> {
  const usable = inspectContent(value).kinds.includes(kind) ? kind : inspectContent(value).best;
  const shown = await render(value, usable);
  return (shown.kind === 'text' ? shown.text : toHexText(value)).split('\n');
}

function asText(text: string, language: Language): Shown {
  return { kind: 'text', text: text.replaceAll('\r\n', '\n'), language, facts: [] };
}

function textOf(value: Uint8Array): string {
  return utf8Decode(value) ?? '';
}

function wrapped(text: string): string {
  return text.replace(new RegExp(`.{${BASE64_LINE_CHARS}}(?=.)`, 'g'), '$&\n');
}
