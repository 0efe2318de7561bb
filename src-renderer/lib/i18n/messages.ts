import { formatInteger } from '../format.ts';

/** A sentence, or one for n = 1 and one for every other n. `{name}` is filled in. */
export type Message = string | { readonly one: string; readonly other: string };
export type Catalogue = Readonly<Record<string, Message>>;
export type Params = Readonly<Record<string, string | number>>;

type TextOf<M> = M extends { one: infer A extends string; other: infer B extends string }
  ? A | B
  : M extends string
    ? M
    : never;
type NamesIn<S extends string> = S extends `${string}{${infer P}}${infer R}`
  ? P | NamesIn<R>
  : never;

/** What chooses between one and other is wanted even where no sentence shows it. */
type NumberOf<M> = M extends { one: string } ? 'n' : never;

/** The parameters that a message wants; for a catalogue that is not `as const` any are taken. */
export type ParamsOf<M> =
  string extends TextOf<M>
    ? [params?: Params]
    : [NamesIn<TextOf<M>>] extends [never]
      ? [params?: Params]
      : [params: Readonly<Record<NamesIn<TextOf<M>> | NumberOf<M>, string | number>>];

/** What a translation of a catalogue must have: every key of it. */
export type Translation<C> = { readonly [K in keyof C]: Message };

/** A catalogue in both languages. The keys of both must be the same, which the type checks. */
export interface Words<C> {
  readonly en: C;
  readonly zh: Translation<C>;
}

/** Fills a message in. Numbers get thousands separators; pass a string for a port or a pid. */
export function fill(message: Message, params: Params = {}): string {
  const text = typeof message === 'string' ? message : params.n === 1 ? message.one : message.other;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? formatNumber(value) : value;
  });
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? formatInteger(value) : String(value);
}
