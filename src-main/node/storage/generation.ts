import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from './errors.ts';

/*
 * A state folder holds numbered LMDB files `state-{generation}.mdb` and the file CURRENT, whose one
 * line names the file in force. A rewritten or imported state is built beside under the next number
 * and takes over when CURRENT is replaced by a rename. So a crash at any point leaves CURRENT on a
 * whole file; all others are removed at the next start.
 */
const POINTER = 'CURRENT';
const FIRST_GENERATION = 1;
const STATE_FILE = /^state-(\d{6,})\.mdb(-lock)?$/;

export function stateFile(dir: string, generation: number): string {
  return join(dir, `state-${String(generation).padStart(6, '0')}.mdb`);
}

/** The generation in force. In a folder without one, that of a new state; `isNew` then. */
export async function readGeneration(dir: string): Promise<{ generation: number; isNew: boolean }> {
  const files = await readdir(dir);
  if (!files.includes(POINTER)) {
    // A first start that was cut short leaves at most the first file, and nothing in it was ever
    // promised.
    const foreign = files.find((name) => (generationOf(name) ?? 0) > FIRST_GENERATION);
    if (foreign !== undefined) throw pointerLost(dir, foreign);
    return { generation: FIRST_GENERATION, isNew: true };
  }
  const text = (await readFile(join(dir, POINTER), 'utf8')).trim();
  const generation = generationOf(text);
  if (generation === undefined || text.endsWith('-lock') || !files.includes(text)) {
    throw storageError('StateCorrupt', `${join(dir, POINTER)} names no state file: "${text}"`, {
      hint: 'Restore the folder from a backup, or remove this member and let it rejoin.',
    });
  }
  return { generation, isNew: false };
}

/** Puts a generation in force; its file must be synced already. */
export async function writeGeneration(dir: string, generation: number): Promise<void> {
  const temporary = join(dir, `${POINTER}.tmp`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${stateFile('', generation)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(dir, POINTER));
  await syncFolder(dir);
}

/** Removes a state file and LMDB's lock file beside it. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}-lock`, { force: true });
}

/** Removes what interrupted rewrites left behind. */
export async function removeOtherGenerations(dir: string, keep: number): Promise<void> {
  for (const name of await readdir(dir)) {
    const generation = generationOf(name);
    if (generation !== undefined && generation !== keep) await rm(join(dir, name), { force: true });
  }
}

/** Makes names in a folder durable. Windows cannot sync a folder and does not need it. */
export async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function generationOf(name: string): number | undefined {
  const digits = STATE_FILE.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function pointerLost(dir: string, file: string) {
  return storageError('StateCorrupt', `${dir} holds ${file} but no file ${POINTER}`, {
    hint: `If ${file} is the newest whole state, write its name into ${POINTER}; else rejoin.`,
  });
}
