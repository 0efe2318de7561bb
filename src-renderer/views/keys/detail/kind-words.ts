import type { WordsLookup } from '../../../lib/i18n/i18n.svelte.ts';
import type { keyDetailWords } from '../../../lib/i18n/views/key-detail.ts';
import type { ViewKind } from './content.ts';

const KEYS = {
  json: 'kindJson',
  yaml: 'kindYaml',
  xml: 'kindXml',
  text: 'kindText',
  kubernetes: 'kindKubernetes',
  protobuf: 'kindProtobuf',
  unpacked: 'kindUnpacked',
  decoded: 'kindDecoded',
  hex: 'kindHex',
  base64: 'kindBase64',
} as const;

export function kindWord(d: WordsLookup<(typeof keyDetailWords)['en']>, kind: ViewKind): string {
  return d(KEYS[kind]);
}
