import type { Language } from '../format.ts';
import { en } from './en.ts';
import { fill, type Params, type ParamsOf, type Words } from './messages.ts';
import { zh } from './zh.ts';

type AppCatalogue = typeof en;
export type AppKey = keyof AppCatalogue;

/** The words of one language. Reading them in a template or a `$derived` follows a change of language. */
export class I18n {
  language = $state<Language>('en');

  constructor(language: Language = 'en') {
    this.language = language;
  }

  /** A message of the app's own catalogue. */
  t<K extends AppKey>(key: K, ...params: ParamsOf<AppCatalogue[K]>): string {
    const catalogue = this.language === 'zh' ? zh : en;
    return fill(catalogue[key], params[0] as Params | undefined);
  }

  /** A lookup in a view's own catalogue. */
  words<C extends Readonly<Record<string, unknown>>>(words: Words<C>): WordsLookup<C> {
    return (key, ...params) => {
      const catalogue = this.language === 'zh' ? words.zh : (words.en as Words<C>['zh']);
      return fill(catalogue[key], params[0] as Params | undefined);
    };
  }
}

export type WordsLookup<C> = <K extends keyof C>(key: K, ...params: ParamsOf<C[K]>) => string;

/** The language to use: what was chosen, else the system's if we have it, else English. */
export function resolveLanguage(
  chosen: 'system' | Language,
  systemLanguages: readonly string[],
): Language {
  if (chosen !== 'system') return chosen;
  return systemLanguages[0]?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}
