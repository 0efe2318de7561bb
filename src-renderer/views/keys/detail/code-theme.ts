import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** Every colour is a token of the app, which reach into the shadow root and change with the theme. */
const theme = EditorView.theme({
  '&': {
    height: '100%',
    color: 'var(--fg-1)',
    backgroundColor: 'var(--bg-0)',
    fontSize: 'var(--text-sm)',
  },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--font-mono)',
    fontVariantLigatures: 'none',
    lineHeight: '20px',
    overflow: 'auto',
  },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--fg-1)' },
  '.cm-line': { padding: '0 20px 0 4px' },
  '.cm-cursor': { borderLeftColor: 'var(--fg-1)' },
  '.cm-gutters': {
    backgroundColor: 'var(--bg-0)',
    color: 'var(--fg-3)',
    border: '0',
  },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '40px', padding: '0 8px 0 20px' },
  '.cm-foldGutter .cm-gutterElement': { width: '12px', cursor: 'default' },
  '.fold': {
    display: 'inline-block',
    width: '5px',
    height: '5px',
    margin: '0 0 2px 2px',
    borderRight: '1px solid var(--fg-3)',
    borderBottom: '1px solid var(--fg-3)',
    transform: 'rotate(-45deg)',
  },
  '.fold.open': { transform: 'rotate(45deg)', visibility: 'hidden' },
  '.cm-gutters:hover .fold.open': { visibility: 'visible' },
  '.cm-foldPlaceholder': {
    padding: '0 4px',
    border: '1px solid var(--line-2)',
    borderRadius: 'var(--r-1)',
    backgroundColor: 'var(--bg-2)',
    color: 'var(--fg-2)',
  },
  '.cm-activeLine': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLine': { backgroundColor: 'var(--row-hover)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground':
    { backgroundColor: 'var(--accent-line)' },
  '.cm-selectionMatch': { backgroundColor: 'var(--bg-3)' },
  '&.cm-focused .cm-matchingBracket': {
    backgroundColor: 'transparent',
    outline: '1px solid var(--line-2)',
  },
  '.cm-changed, &.cm-focused .cm-activeLine.cm-changed': {
    backgroundColor: 'var(--accent-soft)',
    boxShadow: 'inset 2px 0 0 var(--accent)',
  },
  '.cm-mark-conflict': {
    backgroundColor: 'var(--warn-soft)',
    boxShadow: 'inset 2px 0 0 var(--warn)',
  },
  '.cm-mark-theirs, .cm-mark-mine': {
    backgroundColor: 'var(--bg-2)',
    boxShadow: 'inset 2px 0 0 var(--line-3)',
  },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--danger)',
    textUnderlineOffset: '3px',
  },
  '.cm-tooltip': {
    border: '1px solid var(--line-2)',
    borderRadius: 'var(--r-2)',
    backgroundColor: 'var(--bg-0)',
    color: 'var(--fg-1)',
    boxShadow: 'var(--shadow-pop)',
  },
  '.cm-diagnostic': {
    padding: '4px 10px',
    borderLeft: '0',
    fontFamily: 'var(--font-ui)',
    fontSize: 'var(--text-sm)',
  },
  '.cm-panels': { backgroundColor: 'var(--bg-1)', color: 'var(--fg-1)' },
  '.cm-panels-top': { borderBottom: '1px solid var(--line-1)' },
  '.cm-panel.cm-search': {
    padding: '6px 28px 6px 20px',
    fontFamily: 'var(--font-ui)',
    fontSize: 'var(--text-sm)',
  },
  '.cm-panel.cm-search label': { fontSize: 'var(--text-sm)', color: 'var(--fg-2)' },
  '.cm-textfield': {
    height: '24px',
    padding: '0 8px',
    border: '1px solid var(--line-3)',
    borderRadius: 'var(--r-2)',
    backgroundColor: 'var(--bg-0)',
    color: 'var(--fg-1)',
    fontSize: 'var(--text-sm)',
  },
  '.cm-button': {
    height: '24px',
    padding: '0 8px',
    border: '1px solid var(--line-2)',
    borderRadius: 'var(--r-2)',
    backgroundColor: 'var(--bg-0)',
    backgroundImage: 'none',
    color: 'var(--fg-1)',
    fontSize: 'var(--text-sm)',
  },
  '.cm-button:hover': { backgroundColor: 'var(--bg-2)' },
  '.cm-textfield:focus-visible, .cm-button:focus-visible': {
    outline: '2px solid var(--accent)',
    outlineOffset: '-1px',
  },
  '.cm-panel.cm-search [name=close]': { top: '6px', right: '8px', color: 'var(--fg-2)' },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)' },
  '.cm-searchMatch-selected': {
    backgroundColor: 'var(--warn-soft)',
    outline: '1px solid var(--warn)',
  },
});

const highlight = HighlightStyle.define([
  {
    tag: [tags.propertyName, tags.definition(tags.propertyName), tags.tagName],
    color: 'var(--code-key)',
  },
  {
    tag: [tags.string, tags.attributeValue, tags.special(tags.string)],
    color: 'var(--code-string)',
  },
  {
    tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom],
    color: 'var(--code-number)',
  },
  {
    tag: [tags.punctuation, tags.separator, tags.bracket, tags.angleBracket],
    color: 'var(--code-punct)',
  },
  { tag: [tags.comment, tags.meta, tags.processingInstruction], color: 'var(--fg-3)' },
]);

export const codeTheme: Extension = [theme, syntaxHighlighting(highlight)];
