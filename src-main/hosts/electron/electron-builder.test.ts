/** The packaging tools cannot be run everywhere; their own check of the configuration can. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../services/package-root.ts';

const root = packageRoot();
/** What electron-builder itself would load, wherever npm has put it. */
const fromBuilder = createRequire(
  createRequire(import.meta.url).resolve('electron-builder/package.json'),
);
const fromLib = createRequire(fromBuilder.resolve('app-builder-lib/package.json'));

interface Target {
  target: string;
  arch: string[];
}
interface Config {
  files: string[];
  asar: boolean;
  asarUnpack: string[];
  electronFuses: Record<string, boolean>;
  linux: { icon: string; target: Target[] };
  mac: { icon: string; target: Target[] };
  win: { icon: string; target: Target[] };
}

let config: Config;
let validate: (config: unknown, debug: { isEnabled: boolean }) => Promise<void>;
beforeAll(() => {
  const yaml = fromLib('js-yaml') as { load(text: string): unknown };
  config = yaml.load(readFileSync(join(root, 'electron-builder.yml'), 'utf8')) as Config;
  const library = fromLib('app-builder-lib/out/util/config/config') as {
    validateConfiguration: typeof validate;
  };
  validate = library.validateConfiguration;
});

describe('electron-builder.yml', () => {
  it('passes the check of electron-builder itself', async () => {
    await validate(config, { isEnabled: false });
  });

  it('would not pass it with a mistake', async () => {
    const mistaken = { ...config, electronFuses: { runAsNodes: false } };
    await expect(validate(mistaken, { isEnabled: false })).rejects.toThrow(/electronFuses/);
  });

  it('builds every format for both architectures', () => {
    const targets = (list: Target[]) => list.map((t) => [t.target, ...t.arch].join(' '));
    expect(targets(config.linux.target)).toEqual([
      'AppImage x64 arm64',
      'deb x64 arm64',
      'rpm x64 arm64',
    ]);
    expect(targets(config.mac.target)).toEqual(['dmg x64 arm64', 'zip x64 arm64']);
    expect(targets(config.win.target)).toEqual(['nsis x64 arm64']);
  });

  it('packs what the app needs at run time, and the native modules outside of the archive', () => {
    expect(config.asar).toBe(true);
    expect(config.files).toEqual(
      expect.arrayContaining(['dist/main/**/*', 'dist/renderer/**/*', 'resources/notes/**/*']),
    );
    for (const name of ['lmdb', '@lmdb', '@msgpackr-extract']) {
      expect(config.asarUnpack).toContain(`**/node_modules/${name}/**/*`);
    }
  });

  it('names an icon that is there, large enough for every system', () => {
    for (const { icon } of [config.linux, config.mac, config.win]) {
      const path = join(root, icon);
      expect(existsSync(path)).toBe(true);
      const header = readFileSync(path).subarray(0, 24);
      expect(header.toString('latin1', 1, 4)).toBe('PNG');
      expect([header.readUInt32BE(16), header.readUInt32BE(20)]).toEqual([512, 512]);
    }
  });

  it('has the entry that package.json names among its sources', () => {
    const { main } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      main: string;
    };
    const source = main.replace(/^dist\/main/, 'src-main').replace(/\.js$/, '.ts');
    expect(existsSync(join(root, source))).toBe(true);
  });
});
