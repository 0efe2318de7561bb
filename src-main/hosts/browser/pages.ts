/**
 * The few pages that are not the app. They carry no script and no style, so that the strict policy
 * holds for all.
 */

export const UNAUTHORIZED_PAGE = page(
  'Raftdeck: no access',
  `<h1>This page needs its token</h1>
<p>Open the full address that <code>raftdeck serve</code> printed in the terminal: it ends in
<code>?token=…</code>. The token changes with every start.</p>`,
);

export const NOT_BUILT_PAGE = page(
  'Raftdeck: not built',
  '<h1>The app is not built</h1>\n<p>Run <code>npm run build</code> and load this page again.</p>',
);

/**
 * Instead of a redirect: where the address was clicked on another site, a redirect would still
 * count as that site's request, and the browser would hold the strict cookie back.
 */
export const ENTER_PAGE = page(
  'Raftdeck',
  '<p><a href="/">Raftdeck</a></p>',
  '<meta http-equiv="refresh" content="0; url=/">',
);

function page(title: string, body: string, head = ''): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title>${head}</head>
<body>
${body}
</body>
</html>
`;
}
