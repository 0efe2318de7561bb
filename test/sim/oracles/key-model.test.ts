import { describe, expect, test } from 'vitest';
import { type Action, type Guard, type Held, type KeyOp, keyModel, meet } from './key-model.ts';

const held = (over: Partial<Held> = {}): Held => ({
  value: 'a',
  mod: 5,
  create: 3,
  version: 2,
  ...over,
});

const op = (success: Action[], over: Partial<KeyOp> = {}): KeyOp => ({
  guards: [],
  foreignGuards: false,
  succeeded: true,
  revision: undefined,
  success,
  failure: [],
  ...over,
});
const { step, key } = keyModel('absent');
const put: Action = { kind: 'put', value: 'b' };

describe('a key', () => {
  test('is created with version 1 and counts on', () => {
    expect(step('absent', op([put], { revision: 7 }))).toEqual([
      { value: 'b', mod: 7, create: 7, version: 1 },
    ]);
    expect(step(held(), op([put], { revision: 7 }))).toEqual([
      { value: 'b', mod: 7, create: 3, version: 3 },
    ]);
  });

  test('is read as it is and no other way', () => {
    const get = (answer: Held | 'absent') => op([{ kind: 'get', answer }]);
    expect(step(held(), get(held()))).toEqual([held()]);
    expect(step(held(), get('absent'))).toEqual([]);
    expect(step('absent', get(held()))).toEqual([]);
    for (const wrong of [{ value: 'b' }, { mod: 6 }, { create: 4 }, { version: 3 }]) {
      expect(step(held(), get(held(wrong)))).toEqual([]);
    }
  });

  test('tells what was not known of it', () => {
    const state = held({ mod: undefined });
    expect(step(state, op([{ kind: 'get', answer: held() }]))).toEqual([held()]);
    expect(step('any', op([{ kind: 'get', answer: held() }]))).toEqual([held()]);
  });

  test('is deleted if it is there', () => {
    const del = (deleted: boolean | undefined) => op([{ kind: 'delete', deleted }]);
    expect(step(held(), del(true))).toEqual(['absent']);
    expect(step(held(), del(false))).toEqual([]);
    expect(step('absent', del(true))).toEqual([]);
    expect(step('absent', del(false))).toEqual(['absent']);
    expect(step(held(), del(undefined))).toEqual(['absent']);
  });

  test('shows what it held before a put or a delete', () => {
    expect(step(held(), op([{ ...put, before: held({ value: 'x' }) } as Action]))).toEqual([]);
    expect(step(held(), op([{ ...put, before: held() } as Action]))).toHaveLength(1);
    const del: Action = { kind: 'delete', deleted: true, before: held({ mod: 9 }) };
    expect(step(held(), op([del]))).toEqual([]);
  });
});

describe('a guard', () => {
  const cas = (guard: Guard, succeeded: boolean | undefined, over: Partial<KeyOp> = {}) =>
    op([put], { guards: [guard], succeeded, ...over });

  test.each<[Guard, boolean]>([
    [{ target: 'mod', is: '=', operand: 5 }, true],
    [{ target: 'mod', is: '=', operand: 4 }, false],
    [{ target: 'mod', is: '>', operand: 4 }, true],
    [{ target: 'mod', is: '<', operand: 5 }, false],
    [{ target: 'mod', is: '!=', operand: 5 }, false],
    [{ target: 'create', is: '=', operand: 3 }, true],
    [{ target: 'version', is: '=', operand: 3 }, false],
    [{ target: 'value', is: '=', operand: 'a' }, true],
    [{ target: 'value', is: '!=', operand: 'a' }, false],
  ])('%j of a present key holds: %s', (guard, holds) => {
    expect(step(held(), cas(guard, true))).toHaveLength(holds ? 1 : 0);
    expect(step(held(), cas(guard, false))).toHaveLength(holds ? 0 : 1);
    const [after] = step(held(), cas(guard, undefined));
    expect(after).toMatchObject({ value: holds ? 'b' : 'a' });
  });

  test('sees zeros where there is no key, and no value to compare', () => {
    expect(step('absent', cas({ target: 'create', is: '=', operand: 0 }, true))).toHaveLength(1);
    expect(step('absent', cas({ target: 'value', is: '!=', operand: 'a' }, true))).toEqual([]);
    expect(step('absent', cas({ target: 'value', is: '!=', operand: 'a' }, false))).toEqual([
      'absent',
    ]);
  });

  test('tells what the key held, if it held', () => {
    const unsure = held({ mod: undefined });
    const guard: Guard = { target: 'mod', is: '=', operand: 8 };
    const read: Action = { kind: 'get', answer: held({ mod: 8 }) };
    const wrong: Action = { kind: 'get', answer: held({ mod: 9 }) };
    expect(step(unsure, op([read], { guards: [guard] }))).toHaveLength(1);
    expect(step(unsure, op([wrong], { guards: [guard] }))).toEqual([]);
    // What is not known may make it fail or hold.
    expect(step(unsure, cas(guard, undefined))).toHaveLength(2);
  });

  test('on another key may fail the transaction although those here hold', () => {
    const guard: Guard = { target: 'mod', is: '=', operand: 5 };
    expect(step(held(), cas(guard, false, { foreignGuards: true }))).toEqual([held()]);
    expect(step(held(), cas(guard, true, { foreignGuards: true }))).toHaveLength(1);
  });
});

test('two ways of knowing meet or contradict each other', () => {
  expect(meet('any', 'absent')).toBe('absent');
  expect(meet(held(), 'any')).toEqual(held());
  expect(meet(held(), 'absent')).toBeUndefined();
  expect(meet(held({ mod: undefined }), held({ version: undefined }))).toEqual(held());
  expect(meet(held(), held({ version: 9 }))).toBeUndefined();
});

test('states that differ in anything have different names', () => {
  const states = ['any', 'absent', held(), held({ value: 'b' }), held({ mod: 6 })] as const;
  const more = [held({ create: 4 }), held({ version: 9 }), held({ mod: undefined })];
  expect(new Set([...states, ...more].map(key)).size).toBe(8);
});
