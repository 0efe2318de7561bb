import { describe, expect, it } from 'vitest';
import { en } from './en.ts';
import { I18n, resolveLanguage } from './i18n.svelte.ts';
import { fill, type Message } from './messages.ts';
import { zh } from './zh.ts';

type AnyCatalogue = Readonly<Record<string, Message>>;
const modules = import.meta.glob<Record<string, { en: AnyCatalogue; zh: AnyCatalogue }>>(
  './views/*.ts',
  { eager: true },
);
const catalogues: [string, AnyCatalogue, AnyCatalogue][] = [['app', en, zh]];
for (const [path, module] of Object.entries(modules)) {
  for (const words of Object.values(module)) catalogues.push([path, words.en, words.zh]);
}

function texts(message: Message): string[] {
  return typeof message === 'string' ? [message] : [message.one, message.other];
}

function names(message: Message): string[] {
  const found = texts(message).flatMap((text) => text.match(/\{\w+\}/g) ?? []);
  return [...new Set(found)].sort();
}

describe.each(catalogues)('the catalogue %s', (_, english, chinese) => {
  it('has the same keys in both languages', () => {
    expect(Object.keys(chinese).sort()).toEqual(Object.keys(english).sort());
  });

  it('asks for no parameter in Chinese that English does not give', () => {
    for (const [key, message] of Object.entries(chinese)) {
      const given = [...names(english[key] as Message), '{n}'];
      for (const name of names(message)) expect(given, key).toContain(name);
    }
  });

  it('has no empty text, no exclamation mark and no half-width comma between Chinese words', () => {
    for (const message of [...Object.values(english), ...Object.values(chinese)]) {
      for (const text of texts(message)) {
        expect(text).not.toBe('');
        expect(text).not.toMatch(/[!！]/);
        expect(text).not.toMatch(/\p{Script=Han},/u);
      }
    }
  });
});

describe('fill', () => {
  it('puts parameters in, numbers with separators and strings as they are', () => {
    expect(fill('{a} of {b}', { a: 12_345, b: '2379' })).toBe('12,345 of 2379');
  });

  it('chooses by n', () => {
    const keys = { one: '{n} key', other: '{n} keys' };
    expect(fill(keys, { n: 1 })).toBe('1 key');
    expect(fill(keys, { n: 0 })).toBe('0 keys');
  });

  it('shows a parameter that is missing rather than nothing', () => {
    expect(fill('{a}', {})).toBe('{a}');
  });
});

describe('I18n', () => {
  it('speaks the language of now', () => {
    const i18n = new I18n('en');
    expect(i18n.t('nav.keys')).toBe('Keys');
    i18n.language = 'zh';
    expect(i18n.t('nav.keys')).toBe('键');
    const w = i18n.words({ en: { a: '{n} of {b}' }, zh: { a: '{b}: {n}' } } as const);
    expect(w('a', { n: 1_000, b: 'x' })).toBe('x: 1,000');
  });

  it('takes the system’s language where none was chosen', () => {
    expect(resolveLanguage('system', ['zh-CN', 'en'])).toBe('zh');
    expect(resolveLanguage('system', ['de', 'zh'])).toBe('en');
    expect(resolveLanguage('system', [])).toBe('en');
    expect(resolveLanguage('en', ['zh-CN'])).toBe('en');
  });
});
