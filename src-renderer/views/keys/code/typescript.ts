import { toBase64, utf8Decode } from '../../../lib/bytes.ts';
import type { Comparison, KeyAction, KeyOperation, Transaction } from './actions.ts';

const TARGETS = { mod: 'Mod', create: 'Create', version: 'Version', value: 'Value' } as const;
const OPERATORS = { '=': '==', '!=': '!=', '<': '<', '>': '>' } as const;

/** The same as a program for the npm package etcd3, complete and ready to run. */
export function toTypeScript(action: KeyAction, endpoints: readonly string[]): string {
  const hosts = endpoints.map((endpoint) => quoted(withScheme(endpoint))).join(', ');
  const head = [
    "import { Etcd3 } from 'etcd3';",
    '',
    `const client = new Etcd3({ hosts: [${hosts}] });`,
  ];
  // A watch goes on until it is told to stop.
  const tail = action.kind === 'watch' ? [] : ['client.close();'];
  return [...head, ...body(action), ...tail, ''].join('\n');
}

function body(action: KeyAction): string[] {
  switch (action.kind) {
    case 'get':
      return getLines(action);
    case 'put':
      return [`await ${operation(action)};`];
    case 'delete':
      return [`const { deleted } = await ${operation(action)};`, 'console.log(deleted);'];
    case 'watch':
      return watchLines(action);
    case 'txn':
      return transactionLines(action);
  }
}

function getLines(action: Extract<KeyAction, { kind: 'get' }>): string[] {
  const call = operation(action);
  if (!action.prefix) return [`const value = await ${call}.buffer();`, 'console.log(value);'];
  if (action.keysOnly) return [`const keys = await ${call}.keyBuffers();`, 'console.log(keys);'];
  return [`const values = await ${call}.buffers();`, 'console.log(values);'];
}

function watchLines(action: Extract<KeyAction, { kind: 'watch' }>): string[] {
  const what = action.prefix ? 'prefix' : 'key';
  const from = action.startRevision ? `.startRevision('${action.startRevision}')` : '';
  return [
    `const watcher = await client.watch().${what}(${literal(action.key)})${from}.create();`,
    "watcher.on('put', ({ key, value }) => console.log('put', key, value));",
    "watcher.on('delete', ({ key }) => console.log('delete', key));",
  ];
}

function transactionLines({ compare, success, failure }: Transaction): string[] {
  const steps = compare.map((one, i) =>
    i === 0 ? `client.if(${condition(one)})` : `  .and(${condition(one)})`,
  );
  const list = (operations: readonly KeyOperation[]) => operations.map(operation).join(', ');
  // etcd3 begins a transaction with a comparison; version >= 0 is not among its operators.
  if (steps.length === 0) steps.push("client.if('\\0', 'Version', '>', -1)");
  if (success.length > 0) steps.push(`  .then(${list(success)})`);
  if (failure.length > 0) steps.push(`  .else(${list(failure)})`);
  steps.push('  .commit();');
  return [`const { succeeded } = await ${steps.join('\n')}`, 'console.log(succeeded);'];
}

function condition({ key, target, operator, value }: Comparison): string {
  const wanted = typeof value === 'number' ? String(value) : literal(value);
  return `${literal(key)}, '${TARGETS[target]}', '${OPERATORS[operator]}', ${wanted}`;
}

function operation(action: KeyOperation): string {
  const key = literal(action.key);
  if (action.kind === 'put') {
    const lease = action.lease ? `.lease(${quoted(BigInt(`0x${action.lease}`).toString())})` : '';
    const keep = action.ignoreLease ? '.ignoreLease()' : '';
    return `client.put(${key}).value(${literal(action.value)})${lease}${keep}`;
  }
  const what = action.prefix ? 'prefix' : 'key';
  if (action.kind === 'delete') return `client.delete().${what}(${key})`;
  const revision = action.revision ? `.revision(${action.revision})` : '';
  return action.prefix
    ? `client.getAll().prefix(${key})${revision}`
    : `client.get(${key})${revision}`;
}

/** Text as a string, anything else as a buffer: both are the very bytes. */
function literal(bytes: Uint8Array): string {
  const text = utf8Decode(bytes);
  return text === null ? `Buffer.from('${toBase64(bytes)}', 'base64')` : quoted(text);
}

function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}

function withScheme(endpoint: string): string {
  return /^https?:\/\//.test(endpoint) ? endpoint : `http://${endpoint}`;
}
