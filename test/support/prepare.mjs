// Makes sure that what the tests drive is there. --chromium is a must; --etcd is wanted: without it the comparisons
// with the real etcd are left out, and say so.
import { aptInstall, ensureChromium, onPath } from './chromium.mjs';

export async function prepare({ chromium, etcd }) {
  if (chromium) console.log(`chromium: ${await ensureChromium()}`);
  if (!etcd) return;
  const missing = () => ['etcd', 'etcdctl'].filter((name) => onPath(name) === undefined);
  if (missing().length > 0) aptInstall(['etcd-server', 'etcd-client']);
  for (const name of ['etcd', 'etcdctl']) {
    console.log(`${name}: ${onPath(name) ?? 'NOT FOUND, the tests that drive it are left out'}`);
  }
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
