import { defineConfig } from 'vite';

/** The script as one file that Node runs: packages stay outside. */
export default defineConfig({
  build: {
    ssr: 'test/robustness/history/main.ts',
    outDir: 'dist/robustness',
    target: 'node20',
    minify: false,
    sourcemap: true,
  },
});
