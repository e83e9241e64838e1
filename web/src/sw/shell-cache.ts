/**
 * The app shell for offline use: exactly the files of one build, in one cache per build. A cache counts only when it is
 * complete (its page is stored last), and nothing but files of the build ever gets in.
 */

import { toHex } from '../../../src/base/bytes.ts';
import { Conflict } from '../../../src/base/errors.ts';

/** One file of a build; `revision` is the start of its SHA-256 in hex. */
export interface ShellFile {
  /** Path from the site's root; `/` is the page itself. */
  readonly url: string;
  readonly revision: string;
}

const PAGE = '/';
const PREFIX = 'shell-';
/** Files whose names change with their content. */
const ASSETS = '/assets/';
/** Older pages may still be open and load their own chunks. */
const BUILDS_KEPT = 2;

/** Pages of the app: all are the same document. Shares, blobs and API paths are none. */
const APP_PAGE = /^\/(?:$|m\/[0-9a-f]{64}$|(?:library|shares|seeding|settings|admin)(?:\/|$))/;

export function isAppPage(pathname: string): boolean {
  return APP_PAGE.test(pathname);
}

export class ShellCache {
  readonly #files: readonly ShellFile[];
  readonly #name: string;
  readonly #paths: ReadonlySet<string>;

  constructor(files: readonly ShellFile[]) {
    this.#files = files;
    this.#paths = new Set(files.map(({ url }) => url));
    this.#name = PREFIX + (files.find(({ url }) => url === PAGE)?.revision ?? 'empty');
  }

  /** Fetches what is missing, then drops all but the newest builds. Rejects when a file is not the one of this build. */
  async fill(): Promise<void> {
    const cache = await caches.open(this.#name);
    const others = this.#files.filter(({ url }) => url !== PAGE);
    for (const file of others) await store(cache, file);
    const page = this.#files.find(({ url }) => url === PAGE);
    if (page !== undefined) await store(cache, page);
    await dropOldBuilds(this.#name);
  }

  /** Whether `find` may know the file: one of this build, or a chunk of an older page that is still open. */
  has(pathname: string): boolean {
    return this.#paths.has(pathname) || pathname.startsWith(ASSETS);
  }

  /** Undefined: ask the network. */
  async find(pathname: string): Promise<Response | undefined> {
    if (this.#paths.has(pathname)) return (await caches.open(this.#name)).match(pathname);
    return caches.match(pathname);
  }

  /** The page of the newest complete build. */
  async page(): Promise<Response | undefined> {
    return (await (await caches.open(this.#name)).match(PAGE)) ?? caches.match(PAGE);
  }
}

async function store(cache: Cache, { url, revision }: ShellFile): Promise<void> {
  if ((await cache.match(url)) !== undefined) return;
  const response = await fetch(url, { cache: url.startsWith(ASSETS) ? 'default' : 'no-cache' });
  const bytes = await response.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (!response.ok || !toHex(digest).startsWith(revision))
    throw new Conflict('a file is not the one of this build', { url });
  const type = response.headers.get('content-type') ?? 'application/octet-stream';
  await cache.put(url, new Response(bytes, { headers: { 'content-type': type } }));
}

async function dropOldBuilds(current: string): Promise<void> {
  const builds = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== current);
  await Promise.all(builds.slice(0, Math.max(0, builds.length - BUILDS_KEPT + 1)).map((name) => caches.delete(name)));
}
