import type { WatchEventView } from '../../../src-main/contract/views.ts';
import { toBase64, utf8Decode } from '../../lib/bytes.ts';

/** Events written between two breaths of the page. */
const SLICE = 500;

type Bytes = { [name: string]: string };

/** Bytes as text where they are UTF-8, else as base64 under a name that says so. */
function bytesField(name: string, bytes: Uint8Array | null): Bytes {
  if (bytes === null) return {};
  const text = utf8Decode(bytes);
  return text === null ? { [`${name}Base64`]: toBase64(bytes) } : { [name]: text };
}

/** One event as a line of JSON, without the line break. */
export function jsonLine(event: WatchEventView): string {
  const { type, modRevision, createRevision, version, lease, receivedAtMs } = event;
  return JSON.stringify({
    type,
    ...bytesField('key', event.key),
    ...bytesField('value', event.value),
    ...bytesField('prevValue', event.prevValue),
    modRevision,
    ...(type === 'put' ? { createRevision, version } : {}),
    ...(lease === null ? {} : { lease }),
    receivedAt: new Date(receivedAtMs).toISOString(),
  });
}

/** Events as JSON lines; gives the page its turn in between. Returns how many there were. */
export async function exportJsonLines(
  events: Iterable<WatchEventView>,
  pause: () => Promise<void>,
): Promise<{ blob: Blob; count: number }> {
  const parts: string[] = [];
  let lines = '';
  let count = 0;
  for (const event of events) {
    lines += `${jsonLine(event)}\n`;
    count++;
    if (count % SLICE !== 0) continue;
    parts.push(lines);
    lines = '';
    await pause();
  }
  return { blob: new Blob([...parts, lines], { type: 'application/x-ndjson' }), count };
}

/** A file's name from what was watched: letters, digits, dots and dashes only. */
export function exportName(target: string, nowMs: number): string {
  const name = target.replace(/[^A-Za-z0-9.-]+/g, '-').replace(/^-+|-+$/g, '');
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '-');
  return `watch-${name === '' ? 'all' : name.slice(0, 60)}-${time}.jsonl`;
}

/** Saves events as a file of the user's; the page keeps answering meanwhile. */
export async function saveEvents(
  events: Iterable<WatchEventView>,
  target: string,
  nowMs: number,
): Promise<{ name: string; count: number }> {
  const name = exportName(target, nowMs);
  const { blob, count } = await exportJsonLines(
    events,
    () => new Promise((resolve) => setTimeout(resolve)),
  );
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser takes the file over in its own time.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return { name, count };
}
