import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// Relative base: the same bundle is served by the browser host and loaded by Electron's own protocol.
export default defineConfig({
  root: 'src-renderer',
  base: './',
  plugins: [svelte({ configFile: 'svelte.config.js' })],
  build: {
    outDir: '../dist/renderer',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: true,
    // The page's policy lets fonts come from files only, and small ones would become data: addresses.
    assetsInlineLimit: 0,
  },
});
