import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../base/logger.ts';
import type { CallParsed } from '../contract/calls.ts';
import type { Settings } from '../contract/views.ts';
import { JsonFile } from './json-file.ts';

const FILE = 'settings.json';

const schema: z.ZodType<Settings> = z.object({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  language: z.enum(['system', 'en', 'zh']).default('system'),
  density: z.enum(['compact', 'comfortable']).default('compact'),
});

export class SettingsService {
  readonly #file: JsonFile<Settings>;
  #settings: Settings;

  private constructor(file: JsonFile<Settings>, settings: Settings) {
    this.#file = file;
    this.#settings = settings;
  }

  static async open(dataDir: string, logger: Logger): Promise<SettingsService> {
    const file = new JsonFile(join(dataDir, FILE), schema, logger);
    return new SettingsService(file, (await file.read()) ?? schema.parse({}));
  }

  get(): Settings {
    return this.#settings;
  }

  async set(changes: CallParsed<'settings.set'>): Promise<Settings> {
    const next = schema.parse({ ...this.#settings, ...definedOnly(changes) });
    await this.#file.write(next);
    this.#settings = next;
    return next;
  }
}

function definedOnly(changes: CallParsed<'settings.set'>): Partial<Settings> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
