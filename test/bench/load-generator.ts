import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Load, LoadResult } from './loads.ts';

interface Reply {
  id: number;
  result?: LoadResult;
  error?: string;
}

/**
 * The process that makes the load. One for a whole benchmark, so that every server meets the same compiled code. Rejects
 * what was asked of it if an answer was wrong: a figure made of wrong answers is none.
 */
export class LoadGenerator {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(r: LoadResult): void; reject(e: Error): void }>();
  #nextId = 1;

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'loader.js'), {
      execArgv: ['--max-semi-space-size=32'],
    });
    this.#child.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.result === undefined) waiting?.reject(new Error(reply.error));
      else if (reply.result.errors > 0) waiting?.reject(wrong(reply.result));
      else waiting?.resolve(reply.result);
    });
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the load generator died'));
    });
  }

  run(load: Load): Promise<LoadResult> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, load });
    });
  }

  stop(): void {
    this.#child.kill();
  }
}

function wrong({ errors, firstError, succeeded }: LoadResult): Error {
  return new Error(
    `${errors} of ${errors + succeeded} answers were wrong; the first: ${firstError}`,
  );
}
