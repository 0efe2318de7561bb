import { expect, goTo, healthy, screenshots, test } from './fixtures.ts';

test('the first run brings up three nodes and shows them', async ({ page }) => {
  await healthy(page);
  await goTo(page, 'overview');
  for (const name of ['n1', 'n2', 'n3']) {
    await expect(page.getByTestId(`node-${name}`)).toHaveAttribute('data-state', 'running');
  }
  await expect(page.locator('[data-testid^="node-"][data-role="leader"]')).toHaveCount(1);
  await expect(page.locator('[data-testid^="node-"][data-role="follower"]')).toHaveCount(2);
  await screenshots(page, 'overview');
});

test('a killed leader is replaced within seconds while the app stays usable, and comes back when started', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'overview');
  const leader = page.locator('[data-testid^="node-"][data-role="leader"]');
  const before = (await leader.getAttribute('data-testid'))?.replace('node-', '') as string;
  await page.getByTestId(`kill-${before}`).click();
  await page
    .getByTestId('confirm-do')
    .click({ timeout: 2_000 })
    .catch(() => {});
  await expect(page.getByTestId(`node-${before}`)).toHaveAttribute('data-role', 'down');
  await expect(leader).toHaveCount(1);
  await expect(leader).not.toHaveAttribute('data-testid', `node-${before}`);

  // Two of three are a quorum: keys can be written and read.
  await createKey(page, '/after/election', 'still here');
  await expect(page.getByTestId('key-pane')).toContainText('still here');

  await goTo(page, 'overview');
  await page.getByTestId(`start-${before}`).click();
  await expect(page.getByTestId(`node-${before}`)).toHaveAttribute('data-role', 'follower');
  await healthy(page);
});

test('without a quorum the app says what works and how to get out, and one start brings it back', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'overview');
  for (const name of ['n1', 'n2']) {
    await page.getByTestId(`kill-${name}`).click();
    // Losing the quorum asks first.
    await page
      .getByTestId('confirm-do')
      .click({ timeout: 2_000 })
      .catch(() => {});
    await expect(page.getByTestId(`node-${name}`)).toHaveAttribute('data-role', 'down');
  }
  await expect(page.getByTestId('cluster-health')).toHaveAttribute('data-health', 'noQuorum');
  await expect(page.getByTestId('quorum-help')).toBeVisible();
  await screenshots(page, 'no-quorum');
  await page.getByTestId('primary-start-node').click();
  await expect(page.locator('[data-testid^="node-"][data-role="leader"]')).toHaveCount(1);
});

test('logs of all nodes, and the notes', async ({ page }) => {
  await healthy(page);
  await goTo(page, 'logs');
  await expect(page.getByText('serving clients').first()).toBeVisible();
  await screenshots(page, 'logs');
  await goTo(page, 'notes');
  await expect(page.getByText('ZooKeeper').first()).toBeVisible();
  await screenshots(page, 'notes');
});

async function createKey(page: import('@playwright/test').Page, key: string, value: string) {
  await goTo(page, 'keys');
  await page.getByTestId('keys-new').click();
  await page.getByTestId('create-key').fill(key);
  await page.getByTestId('create-value').fill(value);
  await page.getByTestId('create-submit').click();
  await expect(page.getByTestId('create-dialog')).toBeHidden();
}
