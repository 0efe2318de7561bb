import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { nodeError, TestBackend } from '../api/testing/backend.ts';
import { createGateway } from './gateway.ts';

let backend: TestBackend;
let server: Server;

beforeEach(async () => {
  backend = new TestBackend();
  const metrics = () => ({ leaderChanges: 4, quotaBytes: 2 ** 31 });
  server = createServer(createGateway(backend, { logger: silentLogger, metrics }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

interface Answer {
  status: number;
  type: string;
  allow: string | undefined;
  body: string;
}

function ask(path: string, method = 'GET'): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          allow: response.headers.allow,
          body,
        }),
      );
    });
    call.on('error', reject).end();
  });
}

describe('/health', () => {
  it('is true when a quorum confirms a read', async () => {
    expect(await ask('/health')).toMatchObject({ status: 200, body: '{"health":"true"}' });
    expect(backend.asked).toEqual(['linearizableRead']);
  });

  it.each([
    ['no leader', () => (backend.currentStatus.leader = 0n), 'RAFT NO LEADER'],
    ['no space', () => backend.alarms.push({ memberID: 22n, alarm: 1 }), 'ALARM NOSPACE'],
    ['corruption', () => backend.alarms.push({ memberID: 22n, alarm: 2 }), 'ALARM CORRUPT'],
    [
      'no quorum',
      () => {
        backend.failures.linearizableRead = nodeError('Timeout');
      },
      'RANGE ERROR:Timeout',
    ],
  ])('is false and says why: %s', async (_, given, reason) => {
    given();
    const { status, body } = await ask('/health');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({ health: 'false', reason });
  });

  it('leaves out alarms and the cluster if asked to', async () => {
    backend.alarms = [{ memberID: 22n, alarm: 1 }];
    backend.currentStatus.leader = 0n;
    expect((await ask('/health?exclude=NOSPACE')).status).toBe(503);
    expect((await ask('/health?exclude=NOSPACE&serializable=true')).status).toBe(200);
    expect((await ask('/health?serializable=true')).status).toBe(503);
  });
});

describe('/version and /metrics', () => {
  it('names the version that clients parse', async () => {
    const { type, body } = await ask('/version');
    expect(type).toBe('application/json');
    expect(JSON.parse(body)).toEqual({ etcdserver: '3.5.0', etcdcluster: '3.5.0' });
  });

  it('speaks Prometheus text under etcd’s names', async () => {
    await ask('/health');
    const { status, type, body } = await ask('/metrics');
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const values = new Map<string, number>();
    for (const line of body.trimEnd().split('\n')) {
      if (line.startsWith('# ')) continue;
      const match = /^([a-z_]+(?:\{[a-z_]+="[^"]*"\})?) ([-+.e\d]+)$/.exec(line);
      expect(match, line).not.toBeNull();
      values.set(match?.[1] ?? '', Number(match?.[2]));
    }
    expect(Object.fromEntries(values)).toMatchObject({
      etcd_server_has_leader: 1,
      etcd_server_is_leader: 1,
      etcd_server_leader_changes_seen_total: 4,
      etcd_server_quota_backend_bytes: 2 ** 31,
      etcd_server_health_success: 1,
      etcd_server_health_failures: 0,
      etcd_mvcc_db_total_size_in_bytes: 2000,
      etcd_mvcc_db_total_size_in_use_in_bytes: 1000,
      etcd_debugging_mvcc_current_revision: 10,
      etcd_debugging_mvcc_compact_revision: 0,
      'etcd_server_id{server_id="16"}': 1,
    });
    expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(values.get('process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000);
  });
});

describe('anything else', () => {
  it('is 404, 405 or 400', async () => {
    expect(await ask('/v2/keys')).toMatchObject({ status: 404 });
    expect(await ask('/health', 'POST')).toMatchObject({ status: 405, allow: 'GET' });
    expect(await ask('//')).toMatchObject({ status: 400 });
  });

  it('answers 500 to a failure of ours, and lives on', async () => {
    backend.size = () => {
      throw new Error('a defect');
    };
    expect((await ask('/metrics')).status).toBe(500);
    expect((await ask('/version')).status).toBe(200);
  });
});
