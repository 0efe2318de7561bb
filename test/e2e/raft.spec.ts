import type { Page } from '@playwright/test';
import { expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const members = (page: Page, role: string) =>
  page.locator(`[data-testid="raft-members"] [role="row"][data-role="${role}"]`);

async function leaderOf(page: Page): Promise<string> {
  await expect(members(page, 'leader')).toHaveCount(1);
  const id = await members(page, 'leader').getAttribute('data-testid');
  return (id ?? '').replace('raft-', '');
}

async function choose(page: Page, kind: string, node: string): Promise<void> {
  await page.getByTestId('fault-kind').selectOption(kind);
  await page.getByTestId('fault-node').selectOption(node);
}

test('Raft shows each member, how the leader sees the others, and what happened', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'raft');
  const leader = await leaderOf(page);
  await expect(members(page, 'follower')).toHaveCount(2);
  await expect(page.getByTestId('raft-sentence')).toContainText(`${leader} leads term`);
  const followers = page.getByTestId('raft-followers');
  await expect(followers.getByText('replicate', { exact: true })).toHaveCount(2);
  // Heartbeats are answered, so that a round trip is known.
  await expect(followers.getByText(/\d+(\.\d+)? ms/)).toHaveCount(2);
  await expect(page.getByTestId('raft-events')).toContainText('won the election of term');
  await screenshots(page, 'raft');
});

test('a leader that is isolated is replaced; healed, it follows', async ({ page }) => {
  await healthy(page);
  await goTo(page, 'raft');
  const leader = await leaderOf(page);
  await page.getByTestId('open-lab').click();
  await choose(page, 'isolate', leader);
  await expect(page.getByTestId('fault-consequence')).toContainText('elect a new leader');
  await page.getByTestId('fault-lab').getByRole('radio', { name: 'Until healed' }).click();
  await screenshots(page, 'raft-lab');
  await page.getByTestId('fault-inject').click();
  await expect(page.getByTestId('faults-active').locator('li')).toHaveCount(2);
  await expect(page.getByTestId(`raft-${leader}`)).not.toHaveAttribute('data-role', 'leader');
  const next = await leaderOf(page);
  expect(next).not.toBe(leader);
  await screenshots(page, 'raft-isolated');
  await page.getByTestId('fault-heal').click();
  await expect(page.getByTestId('faults-active')).toContainText('Nothing is disturbed');
  await expect(page.getByTestId(`raft-${leader}`)).toHaveAttribute('data-role', 'follower');
  await expect(page.getByTestId('raft-sentence')).toContainText('All others follow');
});

test('a node whose disk breaks ends itself and comes back; one that is paused goes on when healed', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'raft');
  const leader = await leaderOf(page);
  const follower = ['n1', 'n2', 'n3'].find((name) => name !== leader) as string;
  await page.getByTestId('open-lab').click();
  await choose(page, 'pause', follower);
  await page.getByTestId('fault-inject').click();
  await expect(page.getByTestId('faults-active')).toContainText(`${follower} paused`);
  await expect(page.getByTestId(`follower-${follower}`)).toContainText('silent');
  await page.getByTestId('fault-heal').click();
  await expect(page.getByTestId(`follower-${follower}`)).not.toContainText('silent');
  await choose(page, 'brokenDisk', leader);
  await expect(page.getByTestId('fault-consequence')).toContainText('ends itself');
  await page.getByTestId('fault-inject').click();
  // The next write is an election's, or a lease's: one is made by hand.
  await goTo(page, 'leases');
  await page.getByTestId('leases-grant').click();
  await page.getByTestId('grant-ttl').fill('60');
  await page.getByTestId('grant-submit').click();
  await goTo(page, 'raft');
  await expect(page.getByTestId(`raft-${leader}`)).toHaveAttribute('data-source', 'inspect');
  await expect(page.getByTestId('raft-events')).toContainText(`${leader}`);
  await expect(members(page, 'leader')).toHaveCount(1);
});
