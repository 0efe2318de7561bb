// The import rule of this project: what may import what. One table, used by `npm run lint` and by its own test.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';

/**
 * First match wins. `may`: path prefixes under the root that a file may import relatively. `packages`: npm packages and
 * Node built-ins; '*' is all. Test files may also import what is listed in TEST_PACKAGES and their own helpers.
 */
export const RULES = [
  { from: 'src-main/base/', may: ['src-main/base/'], packages: [] },
  {
    from: 'src-main/proto/',
    may: ['src-main/proto/'],
    packages: ['@bufbuild/protobuf', '@grpc/grpc-js'],
    // Its types alone: every node loads this.
    bans: [/import\s(?!type\b)[^;]*grpc-js/],
  },
  { from: 'src-main/contract/', may: ['src-main/contract/'], packages: ['zod'] },
  {
    from: 'src-main/node/raft/',
    may: ['src-main/node/raft/', 'src-main/base/', 'src-main/proto/raftdeck/raft.ts'],
    packages: [],
    bans: [/\bDate\b/, /\bMath\.random\b/, /\bset(?:Timeout|Interval|Immediate)\b/, /\bprocess\b/],
  },
  {
    from: 'src-main/node/storage/',
    may: ['src-main/node/storage/', 'src-main/base/', 'src-main/proto/'],
    packages: ['node:*', 'lmdb'],
  },
  {
    // For tests alone: a node that loaded grpc-js would start a quarter later.
    from: 'src-main/node/rpc/grpc-js/',
    may: ['src-main/node/rpc/', 'src-main/base/'],
    packages: ['node:*', '@grpc/grpc-js'],
  },
  {
    from: 'src-main/node/rpc/',
    may: ['src-main/node/rpc/', 'src-main/base/'],
    packages: ['node:*'],
  },
  {
    from: 'src-main/node/api/',
    may: ['src-main/node/', 'src-main/base/', 'src-main/proto/'],
    packages: ['node:*'],
  },
  {
    from: 'src-main/node/',
    may: ['src-main/node/', 'src-main/base/', 'src-main/proto/'],
    packages: ['node:*', 'commander', 'pino'],
  },
  {
    from: 'src-main/remote/',
    may: ['src-main/remote/', 'src-main/base/', 'src-main/proto/', 'src-main/contract/'],
    packages: ['node:*', '@grpc/grpc-js'],
  },
  {
    from: 'src-main/supervisor/',
    may: ['src-main/supervisor/', 'src-main/base/', 'src-main/contract/'],
    packages: ['node:*', 'zod'],
  },
  {
    from: 'src-main/services/',
    may: [
      'src-main/services/',
      'src-main/supervisor/',
      'src-main/remote/',
      'src-main/contract/',
      'src-main/base/',
      'src-main/proto/',
    ],
    packages: ['node:*', 'zod'],
  },
  {
    from: 'src-main/hosts/electron/',
    may: [
      'src-main/hosts/',
      'src-main/services/',
      'src-main/supervisor/',
      'src-main/contract/',
      'src-main/base/',
    ],
    packages: ['node:*', 'electron'],
  },
  {
    from: 'src-main/hosts/cli/',
    may: [
      'src-main/hosts/',
      'src-main/services/',
      'src-main/supervisor/',
      'src-main/remote/',
      'src-main/contract/',
      'src-main/base/',
      'src-main/proto/',
      'src-main/node/main.ts',
    ],
    packages: ['node:*', 'commander', '@grpc/grpc-js'],
  },
  {
    from: 'src-main/hosts/',
    may: [
      'src-main/hosts/',
      'src-main/services/',
      'src-main/supervisor/',
      'src-main/contract/',
      'src-main/base/',
    ],
    packages: ['node:*', 'ws', '@msgpack/msgpack'],
  },
  {
    // The editor and its languages are large: one view loads them, when a value is edited.
    from: 'src-renderer/views/keys/detail/',
    may: [
      'src-renderer/views/keys/',
      'src-renderer/api/',
      'src-renderer/lib/',
      'src-renderer/stores/',
      'src-renderer/components/',
      'src-main/contract/',
    ],
    packages: ['svelte', '@codemirror/*', '@lezer/*', 'yaml', 'xml-formatter'],
  },
  {
    from: 'src-renderer/views/',
    // A view imports its own folder, never another view's: {view} stands for its own.
    may: [
      'src-renderer/views/{view}/',
      'src-renderer/api/',
      'src-renderer/lib/',
      'src-renderer/stores/',
      'src-renderer/components/',
      'src-main/contract/',
    ],
    packages: ['svelte'],
  },
  {
    from: 'src-renderer/app/',
    may: ['src-renderer/', 'src-main/contract/'],
    packages: ['svelte', '@fontsource-variable/*'],
  },
  {
    from: 'src-renderer/',
    may: [
      'src-renderer/api/',
      'src-renderer/lib/',
      'src-renderer/stores/',
      'src-renderer/components/',
      'src-renderer/app/',
      'src-renderer/styles/',
      'src-main/contract/',
    ],
    packages: ['svelte', '@msgpack/msgpack', '@fontsource-variable/*'],
  },
];

/**
 * What the simulator runs as it is. Time, chance, disk and network come to it by interfaces (server/io.ts), so one seed
 * replays a whole cluster; a single call past them would break that. The files named are the other side of them.
 */
const SIMULATED = {
  folders: /^src-main\/node\/(?:alarm|api|apply|lease|membership|mvcc|server|wal)\//,
  real: [
    'src-main/node/server/client-snapshots.ts',
    'src-main/node/server/data-dir.ts',
    'src-main/node/server/system-io.ts',
    'src-main/node/wal/files.ts',
  ],
  bans: [
    /\bnode:(?:fs|net|timers|child_process|worker_threads)\b/,
    /\b(?:Date|performance|randomUUID|randomBytes|hrtime)\b/,
    /\bMath\.random\b/,
    /\bset(?:Timeout|Interval|Immediate)\b/,
    /\bAbortSignal\.timeout\b/,
  ],
};

/** What tests may import besides: Vitest, Node, and the helpers beside them. */
const TEST_PACKAGES = [
  'vitest',
  'node:*',
  '@grpc/grpc-js',
  'svelte',
  'ws',
  '@msgpack/msgpack',
  'zod',
  'ajv',
  'js-yaml',
  'yaml',
];
const IMPORT =
  /(?:^|[\s;}])(?:import|export)\s+(?:type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|\brequire\(\s*['"]([^'"]+)['"]\s*\)/g;

const isTest = (file) => /\.test\.ts$/.test(file) || /\/testing\//.test(file);

/** Drops comments, so that an example in one is no import. Keeps strings. */
function withoutComments(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/[^\n]*/g, '$1');
}

function packageAllowed(specifier, packages) {
  return packages.some((allowed) =>
    allowed.endsWith('*')
      ? specifier.startsWith(allowed.slice(0, -1))
      : specifier === allowed || specifier.startsWith(`${allowed}/`),
  );
}

function bansFor(file, rule) {
  const isSimulated = SIMULATED.folders.test(file) && !SIMULATED.real.includes(file);
  return [...(rule.bans ?? []), ...(isSimulated ? SIMULATED.bans : [])];
}

/** Checks one file. `file` is relative to the root, with forward slashes. Returns one line per violation. */
export function checkFile(file, text) {
  const rule = RULES.find(({ from }) => file.startsWith(from));
  if (rule === undefined) return [];
  const code = withoutComments(text);
  const view = /^src-renderer\/views\/([^/]+)\//.exec(file)?.[1] ?? '';
  const may = rule.may.map((prefix) => prefix.replace('{view}', view));
  const problems = [];
  for (const match of code.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    if (specifier.startsWith('.')) {
      const target = posix.normalize(posix.join(posix.dirname(file), specifier));
      if (!may.some((prefix) => target.startsWith(prefix)) && !isTest(file)) {
        problems.push(`${file}: may not import ${target}`);
      }
    } else if (!packageAllowed(specifier, rule.packages)) {
      if (isTest(file) && packageAllowed(specifier, TEST_PACKAGES)) continue;
      problems.push(`${file}: may not import ${specifier}`);
    }
  }
  for (const ban of isTest(file) ? [] : bansFor(file, rule)) {
    if (ban.test(code)) problems.push(`${file}: may not use ${ban.source.replace(/\\b/g, '')}`);
  }
  return problems;
}

function* sources(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|cts|mts|svelte)$/.test(entry.name)) yield path;
  }
}

export function checkTree(root) {
  const problems = [];
  for (const top of ['src-main', 'src-renderer']) {
    for (const path of sources(resolve(root, top))) {
      const file = relative(root, path).split(sep).join('/');
      problems.push(...checkFile(file, readFileSync(path, 'utf8')));
    }
  }
  return problems;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const problems = checkTree(resolve(dirname(process.argv[1]), '..', '..'));
  for (const problem of problems) console.error(problem);
  console.log(
    problems.length === 0 ? 'import rule: clean' : `import rule: ${problems.length} violations`,
  );
  process.exit(problems.length === 0 ? 0 : 1);
}
