import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test as base, expect, type Page } from '@playwright/test';
import { ROOT, removeDir, tempDir } from '../support/cluster.ts';
import { launchApp, type RunningApp } from './hosts.ts';

export { expect };

export const SCREENS = join(ROOT, 'test-output', 'screens');
mkdirSync(SCREENS, { recursive: true });

/** What may be said on the console without being a defect. */
const HARMLESS = [/favicon/, /net::ERR_CONNECTION_REFUSED/, /WebSocket connection to .* failed/];

interface Fixtures {
  dataDir: string;
  app: RunningApp;
  page: Page;
}

/** Each test gets the app on a data folder of its own, with its first cluster `dev`; console errors fail it. */
export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of what a fixture needs.
  dataDir: async ({}, use) => {
    const dir = tempDir();
    await use(dir);
    removeDir(dir);
  },
  app: async ({ dataDir }, use, testInfo) => {
    const app = await launchApp(testInfo.project.name, dataDir);
    await use(app);
    await app.close();
  },
  page: async ({ app }, use) => {
    const problems: string[] = [];
    app.page.on('pageerror', (error) => problems.push(error.message));
    app.page.on('console', (message) => {
      const text = `${message.text()} ${message.location().url}`;
      if (message.type() === 'error' && !HARMLESS.some((h) => h.test(text))) problems.push(text);
    });
    await use(app.page);
    expect(problems).toEqual([]);
  },
});

/** Waits until the cluster on show serves. */
export async function healthy(page: Page): Promise<void> {
  await expect(page.getByTestId('cluster-health')).toHaveAttribute('data-health', 'healthy', {
    timeout: 60_000,
  });
}

export async function goTo(page: Page, view: string): Promise<void> {
  await page.getByTestId(`nav-${view}`).click();
}

/** The client URLs of the first cluster, as its endpoint bar shows them. */
export async function endpoints(page: Page): Promise<string[]> {
  await goTo(page, 'overview');
  const text = (await page.getByTestId('endpoints').textContent()) ?? '';
  return [...text.matchAll(/127\.0\.0\.1:\d+/g)].map(([address]) => address);
}

/** In both themes and at both sizes, for people to look at. */
export async function screenshots(page: Page, name: string): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme });
    for (const [width, height] of [
      [1280, 800],
      [1920, 1080],
    ] as const) {
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: join(SCREENS, `${name}-${theme}-${width}.png`) });
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 800 });
}
