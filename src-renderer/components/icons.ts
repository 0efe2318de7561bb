/** Our own icons as path data: 24 px grid, round 1.6 px strokes, no fill. */

function circle(cx: number, cy: number, r: number): string {
  return `M${cx - r} ${cy}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
}

function box(x: number, y: number, w: number, h: number, r: number): string {
  const corner = (dx: number, dy: number) => `a${r} ${r} 0 0 1 ${dx} ${dy}`;
  return [
    `M${x + r} ${y}h${w - 2 * r}${corner(r, r)}v${h - 2 * r}${corner(-r, r)}`,
    `h${2 * r - w}${corner(-r, -r)}v${2 * r - h}${corner(r, -r)}z`,
  ].join('');
}

export const ICONS = {
  search: `${circle(11, 11, 6.5)}M16 16l4.5 4.5`,
  copy: `${box(9, 9, 11, 11, 2)}M5.5 15H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v.5`,
  stop: box(6, 6, 12, 12, 1.5),
  play: 'M8 5.5v13l10-6.5z',
  pause: 'M8.5 6v12M15.5 6v12',
  restart: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4v5h-5',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  left: 'M14 6l-6 6 6 6',
  right: 'M10 6l6 6-6 6',
  down: 'M6 9.5l6 6 6-6',
  up: 'M6 14.5l6-6 6 6',
  toEnd: 'M12 4v12M7 11.5l5 5 5-5M5 20h14',
  upload: 'M12 15V4M8 8l4-4 4 4M5 19h14',
  download: 'M12 4v11M8 11l4 4 4-4M5 19h14',
  history: 'M4 12a8 8 0 1 0 2.6-5.9L4 8.5M4 4v4.5h4.5M12 8v4.5l3 1.7',
  refresh:
    'M20 11a8 8 0 0 0-14.6-3.6L4 9M4 4.5V9h4.5M4 13a8 8 0 0 0 14.6 3.6L20 15M20 19.5V15h-4.5',
  tree: 'M6 4v14h5M6 9h5M14 9h5M14 18h5',
  list: 'M5 7h14M5 12h14M5 17h14',
  filter: 'M4 6h16M7.5 12h9M10.5 18h3',
  terminal: 'M5 7l5 5-5 5M12.5 17H19',
  close: 'M6.5 6.5l11 11M17.5 6.5l-11 11',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  activity: 'M3 12h4l3-7 4 14 3-7h4',
  scissors: `${circle(6, 7, 2.5)}${circle(6, 17, 2.5)}M8.2 8.4L20 17M8.2 15.6L20 7`,
  key: `${circle(8, 15, 4)}M11 12l8-8M16 7l3 3`,
  book: 'M5 5.5A2.5 2.5 0 0 1 7.5 3H19v18H7.5A2.5 2.5 0 0 1 5 18.5zM5 18.5A2.5 2.5 0 0 1 7.5 16H19',
  server: `${box(4, 4, 16, 7, 1.5)}${box(4, 13, 16, 7, 1.5)}M7.5 7.5h.01M7.5 16.5h.01`,
  alert: 'M12 4L2.8 20h18.4zM12 10v4.5M12 17.3h.01',
  info: `${circle(12, 12, 8.5)}M12 11v5.5M12 7.8h.01`,
  file: 'M13.5 3H6v18h12V7.5zM13.5 3v4.5H18',
  overview: [
    circle(12, 5.5, 2.5),
    circle(5.5, 17.5, 2.5),
    circle(18.5, 17.5, 2.5),
    'M10.8 7.8l-4 7.5M13.2 7.8l4 7.5M8 17.5h8',
  ].join(''),
  clock: `${circle(12, 13, 7.5)}M12 9v4l2.5 2M9.5 2.5h5`,
  database: [
    'M4.5 6c0-1.5 3.4-2.8 7.5-2.8s7.5 1.3 7.5 2.8-3.4 2.8-7.5 2.8-7.5-1.3-7.5-2.8',
    'v12c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8V6',
    'M4.5 12c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8',
  ].join(''),
  users: [
    circle(9, 8, 3.5),
    'M2.5 20c.5-4 3-6 6.5-6s6 2 6.5 6M16 5a3.5 3.5 0 0 1 0 6.5M18 14.5c2 .7 3.2 2.5 3.5 5.5',
  ].join(''),
  log: 'M5 5h14M5 10h9M5 15h14M5 20h6',
  plus: 'M12 5.5v13M5.5 12h13',
  minus: 'M5.5 12h13',
  settings: `M4 8h9M17.5 8H20M4 16h2.5M11 16h9${circle(15.2, 8, 2.2)}${circle(8.8, 16, 2.2)}`,
  lock: `${box(5.5, 11, 13, 9, 1.5)}M8.5 11V8a3.5 3.5 0 0 1 7 0v3`,
  edit: 'M5 19l.8-4L16 4.8l3.2 3.2L9 18.2zM13.5 7.3l3.2 3.2',
  trash: 'M5 7h14M9.5 7V4.5h5V7M7 7l.8 13h8.4L17 7M10.2 10.5v6M13.8 10.5v6',
  keyboard: `${box(3, 6.5, 18, 11, 1.5)}M7 10.5h.01M11 10.5h.01M15 10.5h.01M8.5 14h7`,
  bell: 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 21h4',
  columns: `${box(4, 5, 16, 14, 1.5)}M12 5v14`,
  rows: `${box(4, 5, 16, 14, 1.5)}M4 12h16`,
  external: 'M14 5h5v5M19 5l-8 8M10 5H5.5v13.5H19V14',
} as const;

export type IconName = keyof typeof ICONS;
