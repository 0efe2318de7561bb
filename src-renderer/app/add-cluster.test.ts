import { describe, expect, it } from 'vitest';
import { ContractCallError } from '../api/client.ts';
import { FakeClient, summary } from '../testing/fake-client.ts';
import {
  endpointsProblem,
  freeName,
  LocalForm,
  nameProblem,
  RemoteForm,
  splitEndpoints,
} from './add-cluster.svelte.ts';

const others = [summary({ name: 'dev' }), summary({ name: 'dev-2' })];

describe('names', () => {
  it('are there, short and free', () => {
    expect(nameProblem('  ', [])).toBe('errName');
    expect(nameProblem('x'.repeat(65), [])).toBe('errNameLong');
    expect(nameProblem(' dev ', others)).toBe('errNameTaken');
    expect(nameProblem('dev-3', others)).toBeNull();
    expect(freeName('dev', others)).toBe('dev-3');
    expect(freeName('lab', others)).toBe('lab');
  });
});

describe('endpoints', () => {
  it('come apart at commas, blanks and lines', () => {
    expect(splitEndpoints(' a:1, b:2\nc:3，d:4;; ')).toEqual(['a:1', 'b:2', 'c:3', 'd:4']);
  });

  it.each(['127.0.0.1:2379', 'http://etcd-1.example:2379', 'https://[::1]:2379'])(
    'takes %s',
    (text) => expect(endpointsProblem(text)).toBeNull(),
  );

  it.each(['127.0.0.1', 'ftp://a:1', 'http://a:1/path', 'a:b', '::1:2379'])('refuses %s', (text) =>
    expect(endpointsProblem(`ok:1,${text}`)).toEqual({ key: 'errEndpoint', endpoint: text }),
  );

  it('are at least one and not too many', () => {
    expect(endpointsProblem(' , ')).toEqual({ key: 'errEndpoints' });
    expect(endpointsProblem('a:1 '.repeat(33))).toEqual({ key: 'errEndpointCount' });
  });
});

describe('LocalForm', () => {
  it('creates what was asked for', async () => {
    const fake = new FakeClient();
    const form = new LocalForm(fake.client, ' lab ');
    form.nodes = '5';
    form.port = '3000';
    const done = form.submit(others);
    expect(form.busy).toBe(true);
    expect(fake.lastCall('clusters.createLocal').input).toEqual({
      name: 'lab',
      nodes: 5,
      basePort: 3_000,
    });
    fake.lastCall('clusters.createLocal').resolve(summary({ id: 'new' }));
    expect(await done).toMatchObject({ id: 'new' });
    expect(form.busy).toBe(false);
  });

  it('asks for nothing while something is wrong, and says what main refused', async () => {
    const fake = new FakeClient();
    const form = new LocalForm(fake.client, 'dev');
    expect(await form.submit(others)).toBeNull();
    form.name = 'lab';
    form.port = '80';
    expect(form.portProblem).toBe('errPort');
    expect(await form.submit(others)).toBeNull();
    expect(fake.calls).toEqual([]);
    form.port = '2379';
    const done = form.submit(others);
    const error = new ContractCallError('PortInUse', 'port 2379 is taken', 'Choose another.');
    fake.lastCall('clusters.createLocal').reject(error);
    expect(await done).toBeNull();
    expect(form.failure).toBe('port 2379 is taken. Choose another.');
  });
});

describe('RemoteForm', () => {
  const result = {
    endpoint: 'a:1',
    ok: true,
    version: '3.5',
    latencyMs: 1,
    error: null,
    hint: null,
  };

  it('tests endpoints, and knows when the results are of others', async () => {
    const fake = new FakeClient();
    const form = new RemoteForm(fake.client);
    await form.test();
    expect([form.touched, fake.calls.length]).toEqual([true, 0]);
    form.endpoints = 'a:1';
    const done = form.test();
    fake.lastCall('clusters.testEndpoints').resolve([result]);
    await done;
    expect(form.tests).toEqual([result]);
    expect(form.isTestStale).toBe(false);
    form.endpoints = 'b:1';
    expect(form.isTestStale).toBe(true);
  });

  it('adds the cluster, tested or not', async () => {
    const fake = new FakeClient();
    const form = new RemoteForm(fake.client);
    form.name = 'prod';
    form.endpoints = 'a:1, b:2';
    const done = form.submit(others);
    expect(fake.lastCall('clusters.addRemote').input).toEqual({
      name: 'prod',
      endpoints: ['a:1', 'b:2'],
    });
    fake.lastCall('clusters.addRemote').resolve(summary({ kind: 'remote' }));
    expect(await done).toMatchObject({ kind: 'remote' });
  });
});
