/** Parsers of JSON, YAML and XML; loaded when a value of theirs is edited or formatted. */
import { jsonLanguage } from '@codemirror/lang-json';
import { xmlLanguage } from '@codemirror/lang-xml';
import formatXmlText from 'xml-formatter';
import { parseAllDocuments, parseDocument } from 'yaml';
import { type Issue, lineOfOffset } from './languages.ts';

/** Aliases that YAML may expand: more is a "billion laughs". */
const MAX_ALIASES = 100;

/** Where the editor's parser stumbles first. */
export function jsonErrorAt(text: string): number {
  let at = -1;
  jsonLanguage.parser.parse(text).iterate({
    enter: (node) => {
      if (at < 0 && node.type.isError) at = node.from;
      return at < 0;
    },
  });
  return Math.max(0, at);
}

export function checkYaml(text: string): Issue | null {
  const documents = parseAllDocuments(text, { prettyErrors: false, logLevel: 'silent' });
  if (!Array.isArray(documents)) return null;
  const error = documents.flatMap((document) => document.errors)[0];
  if (error === undefined) return null;
  const [at] = error.pos;
  return { message: error.message, line: lineOfOffset(text, at), at };
}

/**
 * Re-indents, keeping comments, order and the way scalars are written. Null if that would change
 * what the text says, which is asked of the parser and not believed.
 */
export function formatYaml(text: string): string | null {
  const documents = parseAllDocuments(text, { intAsBigInt: true, logLevel: 'silent' });
  if (!Array.isArray(documents) || documents.some((document) => document.errors.length > 0)) {
    return null;
  }
  const out = documents
    .map((document) => document.toString({ lineWidth: 0, indentSeq: false }))
    .join('');
  const formatted = text.endsWith('\n') ? out : out.replace(/\n$/, '');
  return sameYaml(text, formatted) ? formatted : null;
}

function sameYaml(a: string, b: string): boolean {
  return meaning(a) === meaning(b);
}

function meaning(text: string): string {
  const documents = parseAllDocuments(text, { intAsBigInt: true, logLevel: 'silent' });
  if (!Array.isArray(documents)) return '';
  return documents
    .map((document) =>
      JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES }), (_, value: unknown) =>
        typeof value === 'bigint' ? `${value}n` : value,
      ),
    )
    .join('\n');
}

/** YAML as one document, for tests of what it says. */
export function readYaml(text: string): unknown {
  return parseDocument(text).toJS({ maxAliasCount: MAX_ALIASES });
}

/** Well-formedness as far as the editor's own parser tells: tags that do not match, broken markup. */
export function checkXml(text: string): Issue | null {
  let issue: Issue | null = null;
  xmlLanguage.parser.parse(text).iterate({
    enter: (node) => {
      if (issue !== null) return false;
      const problem = xmlProblem(node.name, node.type.isError, text.slice(node.from, node.to));
      if (problem === null) return true;
      issue = { message: problem, line: lineOfOffset(text, node.from), at: node.from };
      return false;
    },
  });
  return issue;
}

function xmlProblem(name: string, isError: boolean, source: string): string | null {
  if (name === 'MismatchedCloseTag') return `${source} closes no open tag`;
  if (name === 'MissingCloseTag') return 'a tag is not closed';
  return isError ? 'not well-formed' : null;
}

export function formatXml(text: string): string | null {
  if (checkXml(text) !== null) return null;
  try {
    return formatXmlText(text, {
      indentation: '  ',
      lineSeparator: '\n',
      collapseContent: true,
      whiteSpaceAtEndOfSelfclosingTag: false,
    });
  } catch {
    return null;
  }
}
