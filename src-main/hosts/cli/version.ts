import { existsSync, readFileSync } from 'node:fs';
import { assert } from '../../base/assert.ts';

/**
 * From package.json at the root of the package, whether this runs from dist or from the sources.
 */
export function packageVersion(): string {
  for (const path of ['../../../package.json', '../../../../package.json']) {
    const file = new URL(path, import.meta.url);
    if (!existsSync(file)) continue;
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
    assert(version !== undefined, 'package.json has a version');
    return version;
  }
  return 'unknown';
}
