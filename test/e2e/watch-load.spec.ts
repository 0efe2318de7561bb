import { loadavg } from 'node:os';
import type { Page } from '@playwright/test';
import { TestClient } from '../support/client.ts';
import { Etcd, hasEtcd } from './etcd.ts';
import { endpoints, expect, goTo, healthy, test } from './fixtures.ts';

/** A minute shows the whole: `RAFTDECK_LOAD_SECONDS=60 npx playwright test … watch-load`. */
const SECONDS = Number(process.env.RAFTDECK_LOAD_SECONDS ?? 10);
const EVENTS_PER_SECOND = 5_000;
const EVENTS_PER_TXN = 100;
const KEYS = 2_000;
const VALUE_BYTES = 100;
/** The longest that the page should not answer: printed, for it depends on the machine. */
const MAX_BLOCK_MS = 50;
/** CPU time of one task that no slow machine explains: something was done for all events at once. */
const FREEZE_MS = 250;
/** Events kept are bounded by bytes, and what draws them is not worth mentioning. */
const MAX_HEAP_GROWTH_BYTES = 64 * 1024 * 1024;

/** Puts at a steady rate, many in one transaction; the revision of the last one. */
async function flood(client: TestClient, seconds: number): Promise<{ sent: number; ms: number }> {
  const started = performance.now();
  const total = seconds * EVENTS_PER_SECOND;
  let sent = 0;
  const under: Promise<unknown>[] = [];
  while (sent < total) {
    const due = Math.min(total, ((performance.now() - started) / 1_000) * EVENTS_PER_SECOND);
    while (sent < due) {
      const first = sent;
      const success = Array.from({ length: EVENTS_PER_TXN }, (_, i) => ({
        request: {
          $case: 'requestPut' as const,
          value: {
            key: Buffer.from(`/load/${String((first + i) % KEYS).padStart(5, '0')}`),
            value: Buffer.from(`${first + i} `.padEnd(VALUE_BYTES, 'x')),
          },
        },
      }));
      under.push(client.txn({ success }));
      sent += EVENTS_PER_TXN;
    }
    if (under.length > 20) await under.shift();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(under);
  return { sent, ms: performance.now() - started };
}

interface Measured {
  blocks: number[];
  frames: number;
  slowestFrameMs: number;
  wrong: string[];
}

/** Notes what the page does: long tasks, frames, and whether rows are ever out of order. */
async function observe(page: Page): Promise<void> {
  await page.evaluate(() => {
    const measured: Measured = { blocks: [], frames: 0, slowestFrameMs: 0, wrong: [] };
    Object.assign(window, { measured });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) measured.blocks.push(Math.round(entry.duration));
    }).observe({ type: 'longtask' });
    let last = performance.now();
    const frame = () => {
      const now = performance.now();
      measured.frames++;
      measured.slowestFrameMs = Math.max(measured.slowestFrameMs, now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    setInterval(() => {
      const rows = [...document.querySelectorAll<HTMLElement>('[data-testid=watch-event]')].map(
        (row) => ({
          seq: Number(row.dataset.seq),
          top: Number(/(-?[\d.]+)px/.exec(row.parentElement?.style.transform ?? '')?.[1]),
          value: Number.parseInt(row.lastElementChild?.textContent ?? '', 10),
        }),
      );
      rows.sort((a, b) => a.top - b.top);
      for (const [i, row] of rows.entries()) {
        const before = rows[i - 1];
        if (before === undefined) continue;
        // The value counts the puts: the next row is the next put, never the same nor a later one.
        if (row.seq !== before.seq + 1 || row.value !== before.value + 1) {
          measured.wrong.push(`${before.seq}:${before.value} ${row.seq}:${row.value}`);
        }
      }
    }, 500);
  });
}

/** Tasks of the page's main thread: time on the clock, and time on a processor. */
interface Task {
  wallMs: number;
  cpuMs: number;
}

/**
 * On a machine that is busy with other things a task waits for a processor in the midst of its
 * work. The browser's trace has the processor's time as well, which is the page's own.
 */
async function traceTasks(page: Page, run: () => Promise<void>): Promise<Task[]> {
  const browser = page.context().browser();
  if (browser === null) throw new Error('no browser to trace');
  await browser.startTracing(page, {
    categories: ['toplevel', 'disabled-by-default-devtools.timeline', '__metadata'],
  });
  await run();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: TraceEvent[];
  };
  const isMain = (event: TraceEvent) =>
    event.name === 'thread_name' && event.args?.name === 'CrRendererMain';
  const mains = new Set(traceEvents.filter(isMain).map(({ pid, tid }) => `${pid}/${tid}`));
  return traceEvents
    .filter(({ name, pid, tid }) => name === 'RunTask' && mains.has(`${pid}/${tid}`))
    .map(({ dur = 0, tdur = dur }) => ({ wallMs: dur / 1_000, cpuMs: tdur / 1_000 }));
}

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Microseconds. */
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** "3 of 50 ms and more, at most 71 ms; 99% within 12 ms". */
function tell(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(1);
  const blocks = values.filter((ms) => ms >= MAX_BLOCK_MS).length;
  return `${blocks} of ${MAX_BLOCK_MS} ms and more, at most ${at(1)}; 99% within ${at(0.99)} ms`;
}

const heap = async (page: Page): Promise<number> => {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
};

for (const where of ['a local cluster', 'a remote etcd'] as const) {
  test(`${EVENTS_PER_SECOND} events a second for ${SECONDS} s on ${where}`, async ({ page }) => {
    test.skip(where === 'a remote etcd' && !hasEtcd, 'etcd and etcdctl are not on PATH');
    test.setTimeout(120_000 + SECONDS * 3_000);
    await healthy(page);
    const etcd = where === 'a remote etcd' ? await Etcd.start() : undefined;
    if (etcd !== undefined) {
      await page.getByTestId('add-cluster').click();
      await page.getByTestId('remote-name').fill('far');
      await page.getByTestId('remote-endpoints').fill(etcd.endpoint);
      await page.getByTestId('remote-connect').click();
      await healthy(page);
    }
    const client = new TestClient(
      `http://${etcd?.endpoint ?? ((await endpoints(page))[0] as string)}`,
    );
    await goTo(page, 'watch');
    await page.getByTestId('watch-key').fill('/load/');
    await page.getByTestId('watch-key').press('Enter');
    await expect(page.getByTestId('watch-status')).toHaveText('Live');
    await flood(client, 1);
    const before = await heap(page);
    await observe(page);
    let [sent, ms] = [0, 0];
    const tasks = await traceTasks(page, async () => {
      ({ sent, ms } = await flood(client, SECONDS));
    });
    const received = (await page.getByTestId('watch-say').textContent()) ?? '';
    const kept = page.getByTestId('watch-count');
    const total = sent + EVENTS_PER_SECOND;
    await expect(kept).toHaveText(`${Math.min(total, 50_000).toLocaleString('en-US')} events`);
    if (total > 50_000) {
      const dropped = (total - 50_000).toLocaleString('en-US');
      await expect(page.getByTestId('watch-dropped')).toHaveText(`${dropped} older let go`);
    }
    const measured = await page.evaluate(
      () => (window as unknown as { measured: Measured }).measured,
    );
    const after = await heap(page);
    const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
    console.log(
      [
        `${where}: ${Math.round((sent / ms) * 1_000)} events/s for ${(ms / 1_000).toFixed(1)} s`,
        `view says "${received}"`,
        `${tasks.length} tasks, by the clock: ${tell(tasks.map(({ wallMs }) => wallMs))}`,
        `by the processor: ${tell(tasks.map(({ cpuMs }) => cpuMs))}`,
        `long tasks observed: ${measured.blocks.length}`,
        `frames ${measured.frames}, slowest ${Math.round(measured.slowestFrameMs)} ms`,
        `heap ${mib(before)} to ${mib(after)} MiB, load ${loadavg()[0]?.toFixed(1)}`,
      ].join('\n  '),
    );
    client.close();
    await etcd?.dispose();
    expect(measured.wrong).toEqual([]);
    expect(after - before).toBeLessThan(MAX_HEAP_GROWTH_BYTES);
    expect(tasks.filter(({ cpuMs }) => cpuMs >= FREEZE_MS)).toEqual([]);
  });
}
