/** The middle value, or the mean of the two in the middle; NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Half of the distance between the least and the greatest, as a share of the median; 0 for one value. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  const width = Math.max(...values) - Math.min(...values);
  return width === 0 ? 0 : width / 2 / middle;
}

/** The median of a[i] / b[i]: what varies from round to round falls on both alike. */
export function pairedRatio(a: readonly number[], b: readonly number[]): number {
  const pairs = Math.min(a.length, b.length);
  return median(Array.from({ length: pairs }, (_, i) => (a[i] as number) / (b[i] as number)));
}
