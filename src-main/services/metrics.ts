/** Reads what etcd tells only as Prometheus metrics. */
const TIMEOUT_MS = 1_500;
const MAX_BYTES = 4 * 1024 * 1024;

export interface StorageMetrics {
  quotaBytes: number | null;
  compactRevision: number | null;
}

const QUOTA = 'etcd_server_quota_backend_bytes';
const COMPACT_REVISION = 'etcd_debugging_mvcc_compact_revision';

/** null where the endpoint serves no metrics to us. */
export async function readStorageMetrics(endpoint: string): Promise<StorageMetrics | null> {
  try {
    const response = await fetch(`${endpoint}/metrics`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    });
    if (!response.ok) return null;
    const values = parseMetrics(await readText(response));
    return {
      quotaBytes: positive(values.get(QUOTA)),
      compactRevision: values.get(COMPACT_REVISION) ?? null,
    };
  } catch {
    // Metrics are an extra: without them the views say "unknown".
    return null;
  }
}

/** Plain gauges and counters without labels, which is all that is needed here. */
export function parseMetrics(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const match of text.matchAll(/^([A-Za-z_:][\w:]*) ([^\s]+)/gm)) {
    const value = Number(match[2]);
    if (Number.isFinite(value)) values.set(match[1] as string, value);
  }
  return values;
}

function positive(value: number | undefined): number | null {
  return value !== undefined && value > 0 ? value : null;
}

async function readText(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > MAX_BYTES) throw new Error('the metrics are larger than expected');
  }
  return text;
}
