import type { Model } from './wing-gong.ts';

/** What one key holds, as far as it is known; an undefined number is one that no answer has told yet. */
export interface Held {
  value: string;
  mod: number | undefined;
  create: number | undefined;
  version: number | undefined;
}

/** 'any': nothing is known of it, as where a window of a history begins. */
export type KeyState = Held | 'absent' | 'any';

export type Comparison = '=' | '!=' | '<' | '>';

export type Guard =
  | { target: 'value'; is: Comparison; operand: string }
  | { target: 'mod' | 'create' | 'version'; is: Comparison; operand: number };

export type Action =
  | { kind: 'put'; value: string; before?: KeyState | undefined }
  /** `answer` is undefined if no answer came. */
  | { kind: 'get'; answer: KeyState | undefined }
  | { kind: 'delete'; deleted: boolean | undefined; before?: KeyState | undefined };

/** What a call does to one key: etcd's transaction, of which a put, a get and a delete are the simplest. */
export interface KeyOp {
  guards: readonly Guard[];
  /** The transaction compares other keys too, so it may fail although the guards here hold. */
  foreignGuards: boolean;
  /** Which branch ran, if an answer told. */
  succeeded: boolean | undefined;
  /** Revision of its writes, if an answer told. */
  revision: number | undefined;
  success: readonly Action[];
  failure: readonly Action[];
}

export function keyModel(initial: KeyState): Model<KeyState, KeyOp> {
  // Lists that are appended to grow long: a number stands for each in the names of states.
  const numbers = new Map<string, number>();
  const numberOf = (value: string): number => {
    const known = numbers.get(value);
    if (known !== undefined) return known;
    numbers.set(value, numbers.size);
    return numbers.size - 1;
  };
  return {
    initial,
    step: stepKey,
    key: (state) =>
      typeof state === 'string'
        ? state
        : `${state.version}/${state.mod}/${state.create}/${numberOf(state.value)}`,
  };
}

export type Holds = boolean | 'unknown';

export function stepKey(state: KeyState, op: KeyOp): KeyState[] {
  const holds = op.guards.map((guard) => guardHolds(state, guard));
  const failed = holds.includes(false);
  const certain = !failed && !holds.includes('unknown') && !op.foreignGuards;
  const states: KeyState[] = [];
  if (op.succeeded !== false && !failed) {
    const learned = op.guards.reduce(learn, state);
    const after = run(learned, op.success, op.revision);
    if (after !== undefined) states.push(after);
  }
  if (op.succeeded !== true && !certain) {
    const after = run(state, op.failure, op.revision);
    if (after !== undefined) states.push(after);
  }
  return states;
}

export function guardHolds(state: KeyState, guard: Guard): Holds {
  if (state === 'any') return 'unknown';
  if (guard.target === 'value') {
    // etcd: a comparison of the value of a key that is not there fails, whatever is asked.
    return state === 'absent' ? false : compares(state.value, guard.is, guard.operand);
  }
  const held = state === 'absent' ? 0 : state[guard.target];
  return held === undefined ? 'unknown' : compares(held, guard.is, guard.operand);
}

function compares<T>(held: T, is: Comparison, operand: T): boolean {
  if (is === '=') return held === operand;
  if (is === '!=') return held !== operand;
  return is === '<' ? held < operand : held > operand;
}

/** A guard for equality that held tells what the key holds. */
function learn(state: KeyState, guard: Guard): KeyState {
  if (guard.is !== '=') return state;
  if (guard.target === 'value') {
    if (state !== 'any') return state;
    return { value: guard.operand, mod: undefined, create: undefined, version: undefined };
  }
  if (guard.operand === 0) return 'absent';
  if (typeof state === 'string') return state;
  return { ...state, [guard.target]: guard.operand };
}

/** The state after the actions, or undefined if they cannot have answered so. */
function run(
  state: KeyState,
  actions: readonly Action[],
  revision: number | undefined,
): KeyState | undefined {
  let at: KeyState | undefined = state;
  for (const action of actions) {
    if (at === undefined) return undefined;
    at = act(at, action, revision);
  }
  return at;
}

function act(state: KeyState, action: Action, revision: number | undefined): KeyState | undefined {
  if (action.kind === 'get')
    return action.answer === undefined ? state : meet(state, action.answer);
  const before = action.before === undefined ? state : meet(state, action.before);
  if (before === undefined || isOlder(revision, before)) return undefined;
  if (action.kind === 'delete') {
    const wasThere = before === 'any' ? undefined : before !== 'absent';
    if (action.deleted !== undefined && wasThere !== undefined && action.deleted !== wasThere) {
      return undefined;
    }
    return 'absent';
  }
  return afterPut(before, action.value, revision);
}

/** A key is never written at a lower revision than the one it has. */
function isOlder(revision: number | undefined, state: KeyState): boolean {
  if (revision === undefined || typeof state === 'string' || state.mod === undefined) return false;
  return revision < state.mod;
}

function afterPut(before: KeyState, value: string, mod: number | undefined): KeyState {
  if (before === 'any') return { value, mod, create: undefined, version: undefined };
  if (before === 'absent') return { value, mod, create: mod, version: 1 };
  const version = before.version === undefined ? undefined : before.version + 1;
  return { value, mod, create: before.create, version };
}

/** What is known once both are true, or undefined if they contradict each other. */
export function meet(a: KeyState, b: KeyState): KeyState | undefined {
  if (a === 'any') return b;
  if (b === 'any') return a;
  if (a === 'absent' || b === 'absent') return a === b ? a : undefined;
  if (a.value !== b.value) return undefined;
  if (!agree(a.mod, b.mod) || !agree(a.create, b.create) || !agree(a.version, b.version)) {
    return undefined;
  }
  return {
    value: a.value,
    mod: a.mod ?? b.mod,
    create: a.create ?? b.create,
    version: a.version ?? b.version,
  };
}

function agree(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
