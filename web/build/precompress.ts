/**
 * Build step: writes `<file>.br` and `<file>.gz` beside every compressible file of the build, so that the server never
 * compresses at run time. A sibling is kept only where it is smaller than the file.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const COMPRESSIBLE = /\.(?:js|css|html|svg|json|webmanifest|wasm)$/;

const brotliAsync = promisify(brotliCompress);
const gzipAsync = promisify(gzip);

async function writeSiblings(file: string): Promise<void> {
  const bytes = await readFile(file);
  const brotli = await brotliAsync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  const gzipped = await gzipAsync(bytes, { level: 9 });
  if (brotli.length < bytes.length) await writeFile(`${file}.br`, brotli);
  if (gzipped.length < bytes.length) await writeFile(`${file}.gz`, gzipped);
}

/** Compresses every file under `folder`; run it last, when the build has written everything. */
export async function precompressFolder(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries)
    if (entry.isFile() && COMPRESSIBLE.test(entry.name)) await writeSiblings(path.join(entry.parentPath, entry.name));
}

/** The step as a Vite plugin; `outDir` is where the build writes. */
export function precompress(outDir: string): Plugin {
  return {
    name: 'seedbed:precompress',
    apply: 'build',
    closeBundle: { order: 'post', sequential: true, handler: () => precompressFolder(outDir) },
  };
}
