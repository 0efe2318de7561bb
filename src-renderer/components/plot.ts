/** What a plot draws, computed: ticks, and lines that break where there is no value. */

export interface PlotPoint {
  x: number;
  /** null is a gap: nothing was measured, so nothing is drawn. */
  y: number | null;
}

/** About three round steps from zero to at least `max`; the last is the top of the plot. */
export function ticks(max: number, base: 1000 | 1024 = 1000): number[] {
  if (!(max > 0)) return [0, 1];
  const unit = base === 1024 ? 1024 ** Math.floor(Math.log(max) / Math.log(1024)) : 1;
  const scaled = max / unit;
  const rough = scaled / 2;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const nice = [1, 2, 2.5, 5, 10].find((step) => step * magnitude >= rough) ?? 10;
  const step = nice * magnitude * unit;
  const list: number[] = [];
  for (let value = 0; value < max + step; value += step) {
    list.push(value);
    if (value >= max) break;
  }
  return list;
}

/** SVG path data in a box of `width` by `height`, y upwards from zero. */
export function linePath(
  points: readonly PlotPoint[],
  domain: { fromX: number; toX: number; maxY: number },
  width: number,
  height: number,
): string {
  const spanX = domain.toX - domain.fromX || 1;
  let path = '';
  let isDrawing = false;
  for (const { x, y } of points) {
    if (y === null) {
      isDrawing = false;
      continue;
    }
    const px = ((x - domain.fromX) / spanX) * width;
    const py = height - (y / (domain.maxY || 1)) * height;
    path += `${isDrawing ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`;
    isDrawing = true;
  }
  return path;
}
