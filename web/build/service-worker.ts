/**
 * Build step: builds the service worker to `/sw.js` as one classic script (no module support needed), after the app, with the list
 * of app-shell files as the constant `__PRECACHE__`. Hashed files never change; the others carry a content hash so that a
 * new build replaces them.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Plugin } from 'vite';

export interface PrecacheEntry {
  /** Path from the site's root, such as `/assets/index-B1x.js`. */
  readonly url: string;
  /** Changes whenever the bytes do. */
  readonly revision: string;
}

const SHELL = /\.(?:js|css|html|svg|webmanifest)$/;

/** Every file of the app shell under `outDir`, in a stable order. */
export async function listShell(outDir: string): Promise<PrecacheEntry[]> {
  const entries = await readdir(outDir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && SHELL.test(entry.name) && entry.name !== 'sw.js');
  const listed = files.map(async (entry) => {
    const file = path.join(entry.parentPath, entry.name);
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    const url = `/${path.relative(outDir, file).split(path.sep).join('/')}`;
    return { url: url === '/index.html' ? '/' : url, revision: digest.slice(0, 16) };
  });
  return (await Promise.all(listed)).sort((a, b) => (a.url < b.url ? -1 : 1));
}

async function buildServiceWorker(entry: string, outDir: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    define: { __PRECACHE__: JSON.stringify(await listShell(outDir)) },
    build: {
      outDir,
      emptyOutDir: false,
      target: 'es2022',
      rolldownOptions: { input: entry, output: { format: 'iife', entryFileNames: 'sw.js', codeSplitting: false } },
    },
  });
}

/** The step as a Vite plugin: `entry` is the service worker's source file, `outDir` where the app was built. */
export function serviceWorker(entry: string, outDir: string): Plugin {
  return {
    name: 'seedbed:service-worker',
    apply: 'build',
    closeBundle: { order: 'pre', sequential: true, handler: () => buildServiceWorker(entry, outDir) },
  };
}
