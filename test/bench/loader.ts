/** The load generator's process: does what it is sent and answers with the result. */
import { errorMessage } from '../../src-main/base/errors.ts';
import { runClosedLoop } from './client/closed-loop.ts';
import { runFanOut } from './client/fan-out.ts';
import { runFill } from './client/fill.ts';
import type { Load, LoadResult } from './loads.ts';

function run(load: Load): Promise<LoadResult> {
  switch (load.kind) {
    case 'closedLoop':
      return runClosedLoop(load);
    case 'fill':
      return runFill(load);
    case 'fanOut':
      return runFanOut(load);
  }
}

process.on('message', ({ id, load }: { id: number; load: Load }) => {
  run(load).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: errorMessage(error) }),
  );
});
process.on('disconnect', () => process.exit());
