/**
 * What the service worker and the swarm worker say to each other for one stream: one MessagePort per request of the
 * browser. The service worker keeps no state, so it offers the port to every tab and the leading tab passes it on.
 *
 *     service worker                      swarm worker
 *     ── offer (port) ───▶ tabs ───▶
 *                          ◀── waiting … opened {sizeBytes, type} | unknown
 *     ── read [start, endExclusive) ──▶
 *     ── pull ──▶          ◀── waiting … bytes        once per pull; waiting at least every HEARTBEAT_MS
 *     ── cancel ──▶                                   or ◀── failed
 */
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';

/** How often a worker that still waits for pieces says so. */
export const HEARTBEAT_MS = 400;
/** Silence after which the swarm worker is taken for gone (its tab was closed) and HTTP takes over. */
export const SILENCE_MS = 1_000;

/** Page → service worker: keep the app shell for offline use. Sent once the page itself has what it needs. */
export const KEEP_SHELL = 'keep-shell';

/** Service worker → window clients, with the port transferred. */
export interface StreamOffer {
  readonly kind: 'stream-offer';
  readonly infoHash: InfoHashV1;
  readonly sha256: Sha256;
  readonly port: MessagePort;
}

export type StreamRequest =
  | { readonly kind: 'read'; readonly start: number; readonly endExclusive: number }
  | { readonly kind: 'pull' }
  | { readonly kind: 'cancel' };

export type StreamReply =
  | { readonly kind: 'opened'; readonly sizeBytes: number; readonly type: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'bytes'; readonly bytes: ArrayBuffer }
  | { readonly kind: 'failed' };

const PATH = /^\/stream\/([0-9a-f]{40})\/([0-9a-f]{64})(\.[0-9a-z]{1,10})?$/;

export interface StreamAddress {
  readonly infoHash: InfoHashV1;
  readonly sha256: Sha256;
  /** Where the server has the same bytes. */
  readonly httpPath: string;
}

/** Parses `/stream/<infohash>/<sha256>[.ext]`; undefined for every other path. */
export function parseStreamPath(pathname: string): StreamAddress | undefined {
  const [, infoHash, sha256, extension = ''] = PATH.exec(pathname) ?? [];
  if (infoHash === undefined || sha256 === undefined) return undefined;
  return { infoHash: infoHash as InfoHashV1, sha256: sha256 as Sha256, httpPath: `/${sha256}${extension}` };
}

/** The path that `parseStreamPath` understands. The extension is the one of `httpUrl`, where it has a plain one. */
export function streamPath(infoHash: InfoHashV1, sha256: Sha256, httpUrl: string): string {
  const extension = /\.[0-9a-z]{1,10}$/.exec(new URL(httpUrl, 'http://server').pathname)?.[0] ?? '';
  return `/stream/${infoHash}/${sha256}${extension}`;
}
