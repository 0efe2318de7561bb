import { defineConfig } from 'vite';

/** The simulator as one file that Node runs: packages stay outside. */
export default defineConfig({
  build: {
    ssr: 'test/sim/main.ts',
    outDir: 'dist/sim',
    target: 'node20',
    minify: false,
    sourcemap: true,
  },
});
