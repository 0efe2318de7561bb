import { CodedError } from '../../src-main/base/errors.ts';
import { SNAPSHOT_IDLE_TIMEOUT_MS } from '../../src-main/node/peer/types.ts';
import type { Lane, SimNetwork } from './sim-network.ts';
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

/** Sends the pieces one after the other; the last one, or none, may be lost with all that follow. */
export async function pump(
  stream: SnapshotStream,
  chunks: AsyncIterable<Buffer>,
  reject: (error: Error) => void,
): Promise<void> {
  const { network, from, to } = stream;
  const way = { from: from.host, to: to.host };
  const lane: Lane = { lastMs: 0 };
  const isUp = () => from.process.alive && to.process.alive && !network.isCut(way.from, way.to);
  const push = (piece: Buffer | 'end' | 'cut') =>
    network.transmit(
      way,
      lane,
      to.process,
      () => {
        stream.queue.push(piece);
        stream.wake();
      },
      { isStream: true },
    );
  const fail = () => {
    push('cut');
    reject(new CodedError('PeerProtocol', 'snapshot receiver went away'));
  };
  network.transmit(way, lane, to.process, () => stream.start(stream), { isStream: true });
  try {
    for await (const chunk of chunks) {
      await network.world.sleep(network.chance.around(0.5), from.process);
      // What it brings is old by the time it goes on.
      const isHeldUp = network.chance.happens(network.trouble.stallStream);
      const heldUpMs = network.chance.between(200, 6_000);
      if (isHeldUp) await network.world.sleep(heldUpMs, from.process);
      if (!isUp() || network.chance.happens(network.trouble.cutStream)) return fail();
      push(Buffer.from(chunk));
    }
    push('end');
  } catch (error) {
    push('cut');
    reject(error as Error);
  }
}

/** Its sender is gone: the receiver learns of it as of any connection that ends. */
export function cutStream(stream: SnapshotStream, delayMs: number): void {
  const cut = () => {
    stream.queue.push('cut');
    stream.wake();
  };
  stream.network.world.after(delayMs, cut, stream.to.process);
}
