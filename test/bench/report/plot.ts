/** Line charts as SVG: x on a logarithmic axis, y from zero. */

export interface Line {
  name: string;
  points: { x: number; y: number }[];
}

export interface Chart {
  title: string;
  xLabel: string;
  yLabel: string;
  lines: Line[];
}

const WIDTH = 640;
const HEIGHT = 360;
const MARGIN = { left: 72, right: 120, top: 40, bottom: 48 };
const COLOURS = ['#2563eb', '#d97706', '#059669', '#7c3aed'];
const Y_TICKS = 5;

export function plot({ title, xLabel, yLabel, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const [first = 1, last = 1] = [xs[0], xs.at(-1)];
  const top = niceCeiling(Math.max(...points.map(({ y }) => y), 0));
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const xOf = (x: number): number => {
    const share = first === last ? 0.5 : Math.log(x / first) / Math.log(last / first);
    return MARGIN.left + share * plotWidth;
  };
  const yOf = (y: number): number => MARGIN.top + (1 - y / top) * plotHeight;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(MARGIN.left, 24, title, 'start', 'bold'),
    text(MARGIN.left + plotWidth / 2, HEIGHT - 8, xLabel, 'middle'),
    text(8, MARGIN.top - 8, yLabel, 'start'),
  ];
  for (let i = 0; i <= Y_TICKS; i++) {
    const y = (top * i) / Y_TICKS;
    parts.push(rule(MARGIN.left, yOf(y), MARGIN.left + plotWidth, yOf(y)));
    parts.push(text(MARGIN.left - 6, yOf(y) + 4, short(y), 'end'));
  }
  for (const x of xs) parts.push(text(xOf(x), HEIGHT - MARGIN.bottom + 18, short(x), 'middle'));
  for (const [i, line] of lines.entries()) {
    const colour = COLOURS[i % COLOURS.length] as string;
    const path = line.points.map(({ x, y }) => `${round(xOf(x))},${round(yOf(y))}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const { x, y } of line.points) {
      parts.push(`<circle cx="${round(xOf(x))}" cy="${round(yOf(y))}" r="3" fill="${colour}"/>`);
    }
    const labelY = MARGIN.top + 16 * i + 8;
    const labelX = WIDTH - MARGIN.right + 12;
    parts.push(`<rect x="${labelX}" y="${labelY - 8}" width="10" height="10" fill="${colour}"/>`);
    parts.push(text(labelX + 16, labelY + 1, line.name, 'start'));
  }
  return `${[...parts, '</svg>'].join('\n')}\n`;
}

/** The next of 1, 2, 5 times a power of ten. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return factor * power;
}

function short(value: number): string {
  if (value >= 1_000_000) return `${round(value / 1_000_000)} M`;
  if (value >= 1000) return `${round(value / 1000)} k`;
  return String(round(value));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#e5e7eb"/>`;
}

function text(x: number, y: number, content: string, anchor: string, weight = 'normal'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-weight="${weight}">${escaped}</text>`;
}
