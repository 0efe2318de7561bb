import type { WordsLookup } from '../../../lib/i18n/i18n.svelte.ts';
import type { keyDetailWords } from '../../../lib/i18n/views/key-detail.ts';

/** CodeMirror's words, by their English. */
export function editorPhrases(
  w: WordsLookup<(typeof keyDetailWords)['en']>,
): Readonly<Record<string, string>> {
  return {
    Find: w('find'),
    next: w('findNext'),
    previous: w('findPrevious'),
    all: w('findAll'),
    'match case': w('findCase'),
    regexp: w('findRegexp'),
    'by word': w('findWord'),
    Replace: w('replace'),
    replace: w('replaceOne'),
    'replace all': w('replaceAll'),
    close: w('close'),
    'current match': w('findCurrent'),
    'on line': w('findOnLine'),
    'replaced $ matches': w('replacedMany'),
    'replaced match on line $': w('replacedOne'),
    'Folded lines': w('foldedLines'),
    'Unfolded lines': w('unfoldedLines'),
    unfold: w('unfold'),
    to: w('foldTo'),
    'folded code': w('foldedCode'),
    'Control character': w('controlCharacter'),
  };
}
