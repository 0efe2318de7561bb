import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Etcd3, EtcdLockFailedError, STMConflictError } from 'etcd3';
import { expect, it } from 'vitest';
import { ROOT, until } from '../../support/cluster.ts';
import type { ThreeNodes } from './three-nodes.ts';

/** A client of all nodes, or of one. It is closed after the case. */
export type Connect = (node?: number) => Etcd3;

export const NODES = [0, 1, 2];

export const CALL_TIMEOUT_MS = 30_000;

export function defineLocks(connect: Connect): void {
  it('let one client in at a time', async () => {
    const counter = connect();
    await counter.put('lo/count').value(0);
    let inside = 0;
    const enter = async (): Promise<void> => {
      expect(++inside).toBe(1);
      const count = await counter.get('lo/count').number();
      await counter.put('lo/count').value((count ?? 0) + 1);
      inside--;
    };
    const work = async (client: Etcd3): Promise<void> => {
      for (let done = 0; done < 10; ) {
        const lock = client.lock('lo/lock').ttl(30);
        try {
          await lock.acquire();
        } catch (error) {
          if (!(error instanceof EtcdLockFailedError)) throw error;
          continue;
        }
        await enter();
        await lock.release();
        done++;
      }
    };
    await Promise.all([work(connect(0)), work(connect(1))]);
    expect(await counter.get('lo/count').number()).toBe(20);
  });

  it('are lost with their lease', async () => {
    const [first, second] = [connect(0), connect(1)];
    const held = await first.lock('lo/lost').ttl(60).acquire();
    await expect(second.lock('lo/lost').acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
    const id = await held.leaseId();
    await second.leaseClient.leaseRevoke({ ID: id as string });
    const taken = await second.lock('lo/lost').acquire();
    await expect(first.lock('lo/lost').acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
    await taken.release();
    await held.release();
    expect(await first.get('lo/lost').exists()).toBe(false);
  });
}

/** A process of its own that wins an election and holds it until it dies. */
const LEADER_PROGRAM = `
  import { Etcd3 } from 'etcd3';
  const [hosts, name, value] = process.argv.slice(1);
  const client = new Etcd3({ hosts: hosts.split(',') });
  client.election(name, 2).campaign(value).on('elected', () => console.log('elected'));
`;

async function spawnLeader(hosts: string[], election: string, value: string) {
  const args = ['--input-type=module', '-e', LEADER_PROGRAM, hosts.join(), election, value];
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const [line] = await once(said, 'line', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  expect(line).toBe('elected');
  return child;
}

export function defineElections(connect: Connect, cluster: () => ThreeNodes): void {
  it('are won, observed, and resigned from', async () => {
    const [one, two, watcher] = NODES.map((node) => connect(node).election('el', 60));
    if (one === undefined || two === undefined || watcher === undefined) throw new Error('nodes');
    expect(await watcher.leader()).toBeUndefined();
    const observer = await watcher.observe();
    const changes: (string | undefined)[] = [];
    observer.on('change', (value) => changes.push(value));
    const first = await one.campaign('one').wait();
    await until('the first leader is observed', () => observer.leader() === 'one' || undefined);
    const second = two.campaign('two');
    let elected = false;
    second.on('elected', () => {
      elected = true;
    });
    await until('both stand', async () => {
      const count = await connect().getAll().prefix('election/el/').count();
      return count === 2 ? true : undefined;
    });
    await first.proclaim('uno');
    await until('the proclamation is observed', () => observer.leader() === 'uno' || undefined);
    expect([elected, await one.leader()]).toEqual([false, 'uno']);
    await first.resign();
    await until('the second leads', () => elected || undefined);
    await until('the second leader is observed', () => observer.leader() === 'two' || undefined);
    expect(changes.filter((value) => value !== undefined)).toEqual(['one', 'uno', 'two']);
    await expect(first.proclaim('late')).rejects.toThrow();
    await observer.cancel();
    await second.resign();
    expect(await watcher.leader()).toBeUndefined();
  });

  it('go on when the process that leads is killed', async () => {
    const { hosts } = cluster();
    const leader = await spawnLeader(hosts, 'dead', 'first');
    const client = connect();
    const election = client.election('dead', 60);
    expect(await election.leader()).toBe('first');
    const next = election.campaign('second');
    const elected = next.wait();
    await until('the next one stands', async () =>
      (await client.getAll().prefix('election/dead/').count()) === 2 ? true : undefined,
    );
    expect(await election.leader()).toBe('first');
    leader.kill('SIGKILL');
    await elected;
    expect(await election.leader()).toBe('second');
    await next.resign();
  });
}

/** etcd3's Isolation is a const enum, which cannot be imported here. */
const ISOLATIONS = [
  ['serializable snapshot', 0],
  ['serializable', 1],
  ['repeatable reads', 2],
] as const;

/** More than any transaction here loses in a row. */
const STM_RETRIES = 1_000;

export function defineStm(connect: Connect): void {
  it.each(ISOLATIONS)('counts exactly, %s, with clients on every node', async (_, isolation) => {
    const key = `stm/count${isolation}`;
    await connect().put(key).value(0);
    let attempts = 0;
    const increment = (client: Etcd3) =>
      client.stm({ isolation, retries: STM_RETRIES }).transact(async (tx) => {
        attempts++;
        const count = await tx.get(key).number();
        await tx.put(key).value((count ?? 0) + 1);
      });
    const work = async (client: Etcd3): Promise<void> => {
      for (let i = 0; i < 8; i++) await increment(client);
    };
    await Promise.all([...NODES, ...NODES].map((node) => work(connect(node))));
    expect(await connect().get(key).number()).toBe(48);
    // Had none of them met another, the test would show nothing.
    expect(attempts).toBeGreaterThan(48);
  });

  it('moves amounts between keys without losing any', async () => {
    await connect().put('stm/a').value(100);
    await connect().put('stm/b').value(100);
    const move = (client: Etcd3, from: string, to: string, amount: number) =>
      client.stm({ isolation: 1, retries: STM_RETRIES }).transact(async (tx) => {
        const source = (await tx.get(from).number()) ?? 0;
        const target = (await tx.get(to).number()) ?? 0;
        // Both of one state, or the sum would not hold.
        expect(source + target).toBe(200);
        await tx.put(from).value(source - amount);
        await tx.put(to).value(target + amount);
      });
    await Promise.all(
      NODES.flatMap((node) => [
        move(connect(node), 'stm/a', 'stm/b', 10 + node),
        move(connect(node), 'stm/b', 'stm/a', 5),
      ]),
    );
    const [a, b] = [await connect().get('stm/a').number(), await connect().get('stm/b').number()];
    expect([a, b]).toEqual([100 - 33 + 15, 100 + 33 - 15]);
  });

  it('gives up with a conflict where it may not try again', async () => {
    const client = connect();
    await client.put('stm/x').value('0');
    const transaction = client.stm({ retries: 0 }).transact(async (tx) => {
      await tx.get('stm/x');
      await client.put('stm/x').value('between');
      await tx.put('stm/x').value('lost');
    });
    await expect(transaction).rejects.toBeInstanceOf(STMConflictError);
    expect(await client.get('stm/x')).toBe('between');
  });
}
