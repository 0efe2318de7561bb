import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { errorMessage } from '../base/errors.ts';
import { failure } from './errors.ts';
import { TrailingDigest } from './snapshot-download.ts';

const PAGE_BYTES = 512;
const DIGEST_BYTES = 32;
/** bbolt's, in the first page behind its header. */
const MAGIC = 0xed0cdaed;
const MAGIC_AT = 16;

/**
 * Looks at a snapshot before a cluster is made for it: a node would refuse it too, but only once it
 * is there. Throws NotFound and InvalidArgument.
 */
export async function checkSnapshotFile(path: string): Promise<void> {
  if (!isAbsolute(path)) throw failure('InvalidArgument', `${path} is no absolute path`);
  const { size, file } = await lookAt(path);
  if (!file) throw failure('InvalidArgument', `${path} is no file`);
  const rest = size % PAGE_BYTES;
  const digest = new TrailingDigest();
  let isBolt = false;
  for await (const chunk of createReadStream(path)) {
    const bytes: Buffer = chunk;
    if (digest.totalBytes === 0 && bytes.length >= MAGIC_AT + 4) {
      isBolt = bytes.readUInt32LE(MAGIC_AT) === MAGIC;
    }
    digest.push(bytes);
  }
  if (!isBolt || (rest !== 0 && rest !== DIGEST_BYTES)) {
    throw failure(
      'InvalidArgument',
      `${path} is no snapshot of etcd`,
      'Take one with "Save snapshot" or etcdctl snapshot save.',
    );
  }
  if (rest === DIGEST_BYTES && !digest.finish().isVerified) {
    throw failure(
      'InvalidArgument',
      `${path} is damaged: its checksum does not match`,
      'Take the snapshot again, or copy the file again.',
    );
  }
}

async function lookAt(path: string): Promise<{ size: number; file: boolean }> {
  try {
    const found = await stat(path);
    return { size: found.size, file: found.isFile() };
  } catch (error) {
    throw failure('NotFound', `${path} cannot be read: ${errorMessage(error)}`);
  }
}
