import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ScenarioInfo } from '../../contract/scenarios.ts';
import { type Scenario, scenarioSchema } from './schema.ts';

/** In the order of the file names. A file that is wrong is left out, with a warning. */
export async function loadScenarios(folder: string, logger: Logger): Promise<Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const name of (await readdir(folder)).filter((n) => n.endsWith('.json')).sort()) {
    try {
      const value: unknown = JSON.parse(await readFile(join(folder, name), 'utf8'));
      scenarios.push(scenarioSchema.parse(value));
    } catch (error) {
      logger.warn('a scenario cannot be read', { file: name, error: errorMessage(error) });
    }
  }
  return scenarios;
}

export function infoOf({ id, title, summary, members, steps }: Scenario): ScenarioInfo {
  return {
    ...{ id, title, summary, members },
    steps: steps.map(({ say, lookFor }) => ({ say, lookFor: lookFor ?? null })),
  };
}
