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

test('a scenario plays, says what was seen, and puts everything right', async ({ page }) => {
  test.setTimeout(240_000);
  await healthy(page);
  await goTo(page, 'raft');
  const leader = await leaderOf(page);
  await page.getByTestId('open-lab').click();
  await page.getByRole('tab', { name: 'Scenarios' }).click();
  await expect(page.getByTestId('scenario-list').getByRole('listitem')).toHaveCount(6);
  await screenshots(page, 'raft-scenarios');
  await page.getByRole('button', { name: 'Play: A leader in the minority' }).click();
  const steps = page.getByTestId('scenario-step');
  await expect(steps.first()).toHaveAttribute('data-state', 'seen', { timeout: 60_000 });
  await expect(steps.nth(1)).toContainText(`Every link of ${leader} is cut`);
  // It goes on while another view is looked at.
  await goTo(page, 'overview');
  await goTo(page, 'raft');
  await expect(page.getByTestId('scenario-status')).toHaveAttribute('data-state', 'done', {
    timeout: 120_000,
  });
  for (const step of await steps.all()) await expect(step).toHaveAttribute('data-state', 'seen');
  await screenshots(page, 'raft-scenario-done');
  await expect(members(page, 'follower')).toHaveCount(2);
  await page.getByTestId('scenario-back').click();
  await page.getByRole('button', { name: 'Play: The quorum is lost' }).click();
  await expect(steps.nth(1)).toHaveAttribute('data-state', 'seen', { timeout: 60_000 });
  await page.getByTestId('scenario-stop').click();
  await expect(page.getByTestId('scenario-status')).toContainText('being put right');
  await expect(members(page, 'leader')).toHaveCount(1, { timeout: 60_000 });
  await expect(members(page, 'follower')).toHaveCount(2, { timeout: 60_000 });
});

test('the same key from each node: a member that is cut off reads stale, or not at all', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'raft');
  const leader = await leaderOf(page);
  const follower = ['n1', 'n2', 'n3'].find((name) => name !== leader) as string;
  await page.getByTestId('open-lab').click();
  await page.getByRole('tab', { name: 'Reads' }).click();
  await page.getByTestId('reads-write').click();
  const verdict = page.getByTestId('reads-verdict');
  await expect(verdict).toContainText('All that answer agree');
  await page.getByRole('tab', { name: 'Faults' }).click();
  await choose(page, 'isolate', follower);
  await page.getByTestId('fault-lab').getByRole('radio', { name: 'Until healed' }).click();
  await page.getByTestId('fault-inject').click();
  await expect(page.getByTestId('faults-active').locator('li')).toHaveCount(2);
  await page.getByRole('tab', { name: 'Reads' }).click();
  await expect(verdict).toContainText(`${follower} cannot agree with a quorum`);
  await expect(async () => {
    await page.getByTestId('reads-write').click();
    await expect(verdict).toContainText(`${follower} may be read stale`, { timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
  await screenshots(page, 'raft-reads');
  await page.getByRole('tab', { name: 'Faults' }).click();
  await page.getByTestId('fault-heal').click();
  await page.getByRole('tab', { name: 'Reads' }).click();
  await expect(verdict).toHaveText(/All that answer agree\.\s*$/);
});
