/**
 * The built web app, read into memory once at start: a request is one look-up by its exact path, so no path can leave
 * the folder. Compressed siblings (`.br`, `.gz`) are made by the build and chosen by `Accept-Encoding`.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { StorageFailed } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';

export type Encoding = 'br' | 'gzip' | 'identity';

export interface Asset {
  readonly type: string;
  readonly bytes: Readonly<Partial<Record<Encoding, Uint8Array>>> & { readonly identity: Uint8Array };
  /** Weak: the same content in several encodings. */
  readonly etag: string;
}

/** URL path → asset. */
export type Assets = ReadonlyMap<string, Asset>;

const MAX_FILES = 2_000;
const MAX_TOTAL_BYTES = 64 * MIB;
const SIBLINGS: Readonly<Record<string, Encoding>> = { '.br': 'br', '.gz': 'gzip' };
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
};

/** Empty where nothing was built. @throws StorageFailed when the folder cannot be read or holds far more than a web app. */
export async function loadAssets(folder: string): Promise<Assets> {
  const names = await listFiles(folder);
  const files = new Map<string, Uint8Array>();
  let totalBytes = 0;
  for (const name of names) {
    const bytes = await readFile(path.join(folder, name));
    totalBytes += bytes.length;
    if (totalBytes > MAX_TOTAL_BYTES) throw new StorageFailed('the web app is too large to serve', { totalBytes });
    files.set(name, bytes);
  }
  return new Map([...files].flatMap(([name, bytes]) => assetOf(name, bytes, files)));
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
    if (names.length > MAX_FILES) throw new StorageFailed('the web app has too many files', { files: names.length });
    return names;
  } catch (cause) {
    if (cause instanceof StorageFailed) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new StorageFailed('the web app cannot be read', {}, { cause });
  }
}

function assetOf(name: string, identity: Uint8Array, files: ReadonlyMap<string, Uint8Array>): [string, Asset][] {
  const extension = path.posix.extname(name);
  if (extension in SIBLINGS) return [];
  const bytes: Partial<Record<Encoding, Uint8Array>> & { identity: Uint8Array } = { identity };
  for (const [suffix, encoding] of Object.entries(SIBLINGS)) {
    const sibling = files.get(name + suffix);
    if (sibling !== undefined && sibling.length < identity.length) bytes[encoding] = sibling;
  }
  return [[`/${name}`, { type: TYPES[extension] ?? 'application/octet-stream', bytes, etag: weakEtag(identity) }]];
}

/** A validator of the content, whatever its encoding. */
export function weakEtag(bytes: Uint8Array): string {
  return `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
}

/** The best encoding that both sides have; `q=0` refuses one (RFC 9110 §12.5.3). */
export function chooseEncoding(acceptEncoding: string | undefined, asset: Pick<Asset, 'bytes'>): Encoding {
  for (const encoding of ['br', 'gzip'] as const) {
    if (asset.bytes[encoding] !== undefined && accepts(acceptEncoding, encoding)) return encoding;
  }
  return 'identity';
}

function accepts(header: string | undefined, encoding: Encoding): boolean {
  return (header ?? '').split(',').some((item) => {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
  });
}
