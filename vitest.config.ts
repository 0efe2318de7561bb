import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// Two cores carry the nodes, the clients and the runner: few workers, generous time-outs.
const shared = { testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' as const };

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [svelte({ configFile: 'src-renderer/svelte.config.js' })],
        test: {
          ...shared,
          name: 'unit',
          include: [
            'src-main/**/*.test.ts',
            'src-renderer/**/*.test.ts',
            'test/support/**/*.test.ts',
            'test/sim/**/*.test.ts',
            'test/fuzz/**/*.test.ts',
            'test/bench/**/*.test.ts',
          ],
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/{compat,robustness,app}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
