import { defineConfig } from 'vite';
import { editSources } from './planted/plugin.ts';
import { SMALL_LIMITS } from './small-limits.ts';

/** The simulator as one file that Node runs: packages stay outside. */
export default defineConfig({
  plugins: [editSources('small limits', SMALL_LIMITS, process.cwd())],
  build: {
    ssr: 'test/sim/main.ts',
    outDir: 'dist/sim',
    target: 'node20',
    minify: false,
    sourcemap: true,
  },
});
