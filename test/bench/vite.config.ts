import { defineConfig } from 'vite';

/** The benchmark, its load generator and its null server as files that Node runs: packages stay outside. */
export default defineConfig({
  build: {
    ssr: true,
    outDir: 'dist/bench',
    target: 'node20',
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      input: {
        main: 'test/bench/main.ts',
        loader: 'test/bench/loader.ts',
        'null-server': 'test/bench/null-server.ts',
      },
    },
  },
  ssr: { noExternal: ['@bufbuild/protobuf'] },
});
