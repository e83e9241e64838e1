/** How the web app is built: `vite build web` → `dist/web`, with a size budget, `/sw.js`, and compressed siblings. */
import path from 'node:path';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { precompress } from './build/precompress.ts';
import { serviceWorker } from './build/service-worker.ts';
import { sizeBudget } from './build/size-budget.ts';

const root = import.meta.dirname;
const outDir = path.resolve(root, '../dist/web');

export default defineConfig({
  root,
  plugins: [
    react(),
    tailwindcss(),
    sizeBudget('/pages/home.tsx'),
    serviceWorker(path.resolve(root, 'src/sw/service-worker.ts'), outDir),
    precompress(outDir),
  ],
  worker: { format: 'es' },
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
