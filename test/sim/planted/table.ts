import type { PlantedBug } from './types.ts';

/** The first seed that found a bug. */
export interface RecordedCatch {
  seed: number;
  steps: number;
  property: string;
  /** Of all seeds from 1 up to this one. */
  cpuSeconds: number;
}

/** The planted bugs and what caught them, as Markdown. */
export function describeCatches(
  bugs: readonly PlantedBug[],
  catches: Readonly<Record<string, RecordedCatch>>,
): string {
  const rows = bugs.map(({ name, breaks, missed }) => {
    const caught = catches[name];
    const by =
      caught === undefined ? `not caught: ${missed ?? 'to be looked into'}` : caught.property;
    const seeds = caught === undefined ? '' : ` --seed ${caught.seed}`;
    const command = `\`npm run sim -- --plant ${name}${seeds}\``;
    return `| ${breaks} | ${by} | ${command} | ${caught?.cpuSeconds.toFixed(1) ?? ''} |`;
  });
  return ['| bug | caught by | command | CPU s |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
