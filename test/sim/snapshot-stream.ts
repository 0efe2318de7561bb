import { CodedError } from '../../src-main/base/errors.ts';
import { SNAPSHOT_IDLE_TIMEOUT_MS } from '../../src-main/node/peer/types.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SimProcess } from './sim-process.ts';

interface Side {
  host: string;
  process: SimProcess;
}

/** A snapshot on its way: pieces arrive in `queue`. */
export interface SnapshotStream {
  readonly network: SimNetwork;
  readonly from: Side;
  readonly to: Side;
  /** Runs at the receiver when the header arrives. */
  start(stream: SnapshotStream): void;
  /** Runs at the sender when the receipt arrives, or does not. */
  finished(error: Error | undefined): void;
  queue: (Buffer | 'end' | 'cut')[];
  wake: () => void;
  ended: boolean;
}

/** The receiver's side: hands the pieces out and sends the receipt. */
export function receiveStream(
  stream: SnapshotStream,
  take: (chunks: AsyncIterable<Buffer>) => Promise<void>,
): void {
  const { network, from, to } = stream;
  const receipt = (error: Error | undefined) => {
    stream.ended = true;
    network.transmit(
      { from: to.host, to: from.host },
      undefined,
      from.process,
      () => stream.finished(error),
      { isStream: true },
    );
  };
  take(pieces(stream)).then(() => receipt(undefined), receipt);
  const gone = new CodedError('PeerProtocol', 'no receipt');
  network.world.after(SNAPSHOT_IDLE_TIMEOUT_MS, () => stream.finished(gone), from.process);
}

async function* pieces(stream: SnapshotStream): AsyncGenerator<Buffer> {
  const { network, to } = stream;
  for (;;) {
    const piece = stream.queue.shift();
    if (piece === 'end') return;
    if (piece === 'cut') throw new CodedError('PeerProtocol', 'snapshot stream was cut off');
    if (piece !== undefined) {
      yield piece;
      continue;
    }
    const arrival = new Promise<void>((resolve) => {
      stream.wake = resolve;
    });
    let cancel = () => {};
    const late = new Promise<'late'>((resolve) => {
      cancel = network.world.after(SNAPSHOT_IDLE_TIMEOUT_MS, () => resolve('late'), to.process);
    });
    if ((await Promise.race([arrival, late])) === 'late') {
      throw new CodedError('PeerProtocol', 'snapshot stream stalled');
    }
    cancel();
  }
}
