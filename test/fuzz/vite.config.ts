import { defineConfig } from 'vite';

/** The script as one file that Node runs: packages stay outside. */
export default defineConfig({
  build: {
    ssr: 'test/fuzz/main.ts',
    outDir: 'dist/fuzz',
    target: 'node20',
    minify: false,
    sourcemap: true,
  },
});
