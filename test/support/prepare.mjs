// Makes sure that what the tests drive is there. --chromium is a must; --etcd is wanted: without it the comparisons
// with the real etcd are left out, and say so.
import { spawnSync } from 'node:child_process';
import { aptInstall, ensureChromium, onPath } from './chromium.mjs';

/** A client for Python, which the system's own one has, even if another comes first on PATH. */
const hasPythonClient = () =>
  ['python3', '/usr/bin/python3'].some(
    (python) => spawnSync(python, ['-c', 'import etcd3']).status === 0,
  );

export async function prepare({ chromium, etcd }) {
  if (chromium) console.log(`chromium: ${await ensureChromium()}`);
  if (!etcd) return;
  const missing = () => ['etcd', 'etcdctl'].filter((name) => onPath(name) === undefined);
  if (missing().length > 0) aptInstall(['etcd-server', 'etcd-client']);
  if (!hasPythonClient()) aptInstall(['python3-etcd3']);
  for (const name of ['etcd', 'etcdctl']) {
    console.log(`${name}: ${onPath(name) ?? 'NOT FOUND, the tests that drive it are left out'}`);
  }
  console.log(`python3-etcd3: ${hasPythonClient() ? 'found' : 'NOT FOUND, its test is left out'}`);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  prepare({
    chromium: process.argv.includes('--chromium'),
    etcd: process.argv.includes('--etcd'),
  }).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
