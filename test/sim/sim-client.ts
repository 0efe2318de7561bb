import { CodedError, errorMessage } from '../../src-main/base/errors.ts';
import type {
  BidiDescriptor,
  MethodDescriptor,
  UnaryDescriptor,
} from '../../src-main/node/rpc/service.ts';
import { RpcError } from '../../src-main/node/rpc/status.ts';
import type { Chance } from './chance.ts';
import { ClientStream, contextOf } from './client-stream.ts';
import type { Failure, Outcome } from './history.ts';
import type { Recorder } from './recorder.ts';
import type { SimMember } from './sim-member.ts';
import type { World } from './world.ts';

/** What a client has of a method: the other half of the codec. */
export interface ClientCodec<Request, Response> {
  requestSerialize: (request: Request) => Buffer;
  responseDeserialize: (bytes: Buffer) => Response;
}
export type ClientMethod<Request, Response> = MethodDescriptor<Request, Response> &
  ClientCodec<Request, Response>;

/** After these nobody knows whether a write takes effect, now or later. */
const UNKNOWN: ReadonlySet<string> = new Set([
  'Timeout',
  'TimeoutDueToLeaderFail',
  'TimeoutDueToConnectionLost',
  'Stopped',
  'LeaderChanged',
  'NoLeader',
  'NotLeader',
  'Crashed',
  'ClientTimeout',
  'StateClosed',
  'StateWriteFailed',
  'Internal',
]);

const WAY_MS = 0.2;

/** The way from a client to a member and back, in this process but with its own delays and losses. */
export class SimClient {
  readonly id: number;
  readonly world: World;
  readonly chance: Chance;
  readonly recorder: Recorder;
  /** Of answers to be lost on the way back. */
  lostAnswers = 0;

  constructor(id: number, world: World, chance: Chance, recorder: Recorder) {
    this.id = id;
    this.world = world;
    this.chance = chance;
    this.recorder = recorder;
  }

  /** Never rejects. */
  call<Request, Response>(
    member: SimMember,
    method: UnaryDescriptor<Request, Response> & ClientCodec<Request, Response>,
    request: Request,
    timeoutMs: number,
  ): Promise<Outcome<Response>> {
    const { world, chance } = this;
    const abort = new AbortController();
    return new Promise((resolve) => {
      let settled = false;
      let forget = () => {};
      const settle = (outcome: Outcome<Response>) => {
        if (settled) return;
        settled = true;
        forget();
        cancelTimer();
        resolve(outcome);
      };
      const cancelTimer = world.after(timeoutMs, () => {
        settle(failed('ClientTimeout'));
        abort.abort();
      });
      const answer = (outcome: Outcome<Response>) => {
        if (chance.happens(this.lostAnswers)) return;
        world.after(chance.around(WAY_MS), () => settle(outcome));
      };
      world.after(chance.around(WAY_MS), () => {
        const { process } = member;
        const found = member.methods.get(method.path);
        if (found?.kind !== 'unary' || !member.isRunning) {
          answer(failed('Unreachable'));
          return;
        }
        forget = member.onDeath(() => answer(failed('Crashed')));
        const arrive = () => {
          found.invoke(method.requestSerialize(request), contextOf(abort.signal)).then(
            (bytes) => {
              if (!process.alive) return;
              answer({ ok: true, output: method.responseDeserialize(bytes) });
            },
            (error: unknown) => {
              if (process.alive) answer(this.#refusal(member, method.path, error));
            },
          );
        };
        // A paused process takes it when it goes on.
        world.after(0, arrive, process);
      });
    });
  }

  /** One request and one answer on a stream of its own. Never rejects. */
  once<Request, Response>(
    member: SimMember,
    method: BidiDescriptor<Request, Response> & ClientCodec<Request, Response>,
    request: Request,
    timeoutMs: number,
  ): Promise<Outcome<Response>> {
    const found = member.methods.get(method.path);
    if (found?.kind !== 'bidi' || !member.isRunning) {
      return this.world.sleep(WAY_MS).then(() => failed('Unreachable'));
    }
    return new Promise((resolve) => {
      let outcome: Outcome<Response> = failed('Crashed');
      const stream = new ClientStream(this, member, found.invoke, WAY_MS, {
        received: (bytes) => {
          outcome = { ok: true, output: method.responseDeserialize(bytes) };
          stream.close();
        },
        closed: () => {
          cancelTimer();
          resolve(outcome);
        },
      });
      const cancelTimer = this.world.after(timeoutMs, () => {
        outcome = failed('ClientTimeout');
        stream.close();
      });
      stream.send(method.requestSerialize(request));
    });
  }

  #refusal(member: SimMember, path: string, error: unknown): Outcome<never> {
    const code = codeOf(error);
    if (code === 'Internal' && member.disk.errorsGiven === 0 && member.phase === 'running') {
      this.recorder.violation('answers INTERNAL', `${member.name} ${path}`, error);
    }
    return failed(code);
  }
}

export function failed(code: string): { ok: false; error: Failure; code: string } {
  return { ok: false, error: UNKNOWN.has(code) ? 'unknown' : 'definite', code };
}

/** The node's own code where there is one. */
export function codeOf(error: unknown): string {
  const cause = error instanceof RpcError ? error.cause : error;
  if (cause instanceof CodedError) return cause.code;
  // What the API itself refuses with etcd's words.
  return error instanceof RpcError ? errorMessage(error) : 'Internal';
}
