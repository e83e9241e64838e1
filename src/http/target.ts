/** From a request target to the door that answers it. Pure; no percent-decoding, so no path can mean two things. */
import { isSha256, parsePubkey, type Pubkey, type Sha256 } from '../base/ids.ts';

export type Route =
  | { readonly kind: 'blob'; readonly sha256: Sha256 }
  | { readonly kind: 'blossom-upload' }
  | { readonly kind: 'blossom-list'; readonly pubkey: Pubkey }
  | { readonly kind: 'blossom-absent' }
  | { readonly kind: 'tus' }
  | { readonly kind: 'media-collection' }
  | { readonly kind: 'metainfo'; readonly infoHash: string }
  | { readonly kind: 'announce' }
  | { readonly kind: 'scrape' }
  | { readonly kind: 'api' }
  | { readonly kind: 'web' };

export interface Target {
  /** Starts with `/`; percent-encoding as it came. */
  readonly path: string;
  /** Without `?`; empty when there is none. */
  readonly query: string;
}

/** Splits origin-form and absolute-form targets (RFC 9112 §3.2); undefined for anything else. */
export function splitTarget(url: string | undefined): Target | undefined {
  if (url === undefined) return undefined;
  const origin = url.startsWith('/') ? url : originForm(url);
  if (origin === undefined) return undefined;
  const question = origin.indexOf('?');
  if (question < 0) return { path: origin, query: '' };
  return { path: origin.slice(0, question), query: origin.slice(question + 1) };
}

/** The origin-form of a target. */
export function joinTarget({ path, query }: Target): string {
  return query === '' ? path : `${path}?${query}`;
}

function originForm(url: string): string | undefined {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

const SHA256_CHARS = 64;
const EXTENSION = /^\.[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const METAINFO = /^\/torrent\/([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})\.torrent$/;
const LIST = /^\/list\/([0-9a-f]{64})$/;

const FIXED = new Map<string, Route>([
  ['/upload', { kind: 'blossom-upload' }],
  ['/mirror', { kind: 'blossom-absent' }],
  ['/report', { kind: 'blossom-absent' }],
  ['/media', { kind: 'blossom-absent' }],
  ['/announce', { kind: 'announce' }],
  ['/scrape', { kind: 'scrape' }],
  ['/api/v1/media', { kind: 'media-collection' }],
]);

/** The door for a path. Unknown paths belong to the web app, which answers 404 for what it does not know. */
export function routeOf(path: string): Route {
  const blob = blobOf(path);
  if (blob !== undefined) return { kind: 'blob', sha256: blob };
  const fixed = FIXED.get(path);
  if (fixed !== undefined) return fixed;
  if (path === '/api/v1/uploads' || path.startsWith('/api/v1/uploads/')) return { kind: 'tus' };
  if (path.startsWith('/api/')) return { kind: 'api' };
  const infoHash = METAINFO.exec(path)?.[1];
  if (infoHash !== undefined) return { kind: 'metainfo', infoHash };
  const pubkey = LIST.exec(path)?.[1];
  if (pubkey !== undefined) return { kind: 'blossom-list', pubkey: parsePubkey(pubkey) };
  return { kind: 'web' };
}

/** `/<sha256>` or `/<sha256>.<ext>`; the extension means nothing (BUD-01). */
function blobOf(path: string): Sha256 | undefined {
  const name = path.slice(1, 1 + SHA256_CHARS);
  const rest = path.slice(1 + SHA256_CHARS);
  if (!isSha256(name) || (rest !== '' && !EXTENSION.test(rest))) return undefined;
  return name;
}
