import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkFile, checkTree } from './import-rules.mjs';

describe('the import rule', () => {
  test('holds for the whole tree', () => {
    expect(checkTree(resolve(import.meta.dirname, '../..'))).toEqual([]);
  });

  test.each([
    ['src-main/node/raft/x.ts', "import { readFileSync } from 'node:fs';"],
    ['src-main/node/raft/x.ts', 'const now = Date.now();'],
    ['src-main/node/raft/x.ts', 'const roll = Math.random();'],
    ['src-main/node/raft/x.ts', "import { LmdbStateStore } from '../storage/lmdb-store.ts';"],
    ['src-main/node/api/x.ts', "import { Server } from '@grpc/grpc-js';"],
    ['src-main/node/rpc/h2/x.ts', "import { Server } from '@grpc/grpc-js';"],
    ['src-main/proto/x.ts', "import { type Server, Client } from '@grpc/grpc-js';"],
    ['src-main/node/mvcc/x.ts', "import { open } from 'lmdb';"],
    ['src-main/node/server/x.ts', "import { app } from 'electron';"],
    ['src-main/node/server/x.ts', "import { spawnNode } from '../../supervisor/spawn.ts';"],
    ['src-main/node/server/x.ts', 'setImmediate(() => this.step());'],
    ['src-main/node/lease/x.ts', 'const now = performance.now();'],
    ['src-main/node/wal/x.ts', "import { open } from 'node:fs/promises';"],
    ['src-main/services/x.ts', "import { runNode } from '../node/main.ts';"],
    ['src-main/services/x.ts', "const node = await import('../node/main.ts');"],
    ['src-main/remote/x.ts', "export { checks } from '../node/api/checks.ts';"],
    ['src-main/hosts/browser/x.ts', "import { app } from 'electron';"],
    ['src-renderer/views/keys/x.svelte', "import Row from '../watch/Row.svelte';"],
    ['src-renderer/views/keys/x.svelte', "import fs from 'node:fs';"],
    ['src-renderer/lib/x.ts', "import { App } from '../../src-main/services/app.ts';"],
  ])('refuses in %s: %s', (file, text) => {
    expect(checkFile(file, text)).toHaveLength(1);
  });

  test.each([
    ['src-main/node/raft/x.ts', "import { assert } from '../../base/assert.ts';"],
    ['src-main/node/raft/x.ts', '// Math.random would break the replay.'],
    ['src-main/proto/x.ts', "import type { handleUnaryCall } from '@grpc/grpc-js';"],
    ['src-main/hosts/electron/main.ts', "import { app } from 'electron';"],
    ['src-main/node/storage/x.ts', "import { open } from 'lmdb';"],
    ['src-main/node/server/system-io.ts', 'const schedule = setImmediate;'],
    ['src-main/node/peer/x.ts', 'setTimeout(dial, 50);'],
    [
      'src-renderer/views/keys/x.svelte',
      "import type { KeyRow } from '../../../src-main/contract/views.ts';",
    ],
  ])('allows in %s: %s', (file, text) => {
    expect(checkFile(file, text)).toEqual([]);
  });
});
