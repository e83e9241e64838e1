/** The pinned vectors, typed. `torrents.json` is what `torrents.py` prints for the cases it holds. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface TorrentVector {
  readonly mode: 'v1' | 'v2' | 'hybrid';
  readonly sizes: readonly number[];
  readonly pieceLengthBytes: number;
  /** Named by the sha256 of its bytes. */
  readonly canonical: boolean;
  readonly v1: string | null;
  readonly v2: string | null;
  /** base64 */
  readonly torrent: string;
}

export interface MagnetVector {
  readonly id: string;
  readonly why: string;
  readonly text: string;
  readonly repeat?: readonly [string, number];
  readonly accept: boolean;
  readonly keeps?: { readonly v1?: string; readonly v2?: string; readonly dn?: string; readonly xl?: number };
}

function load(name: string): unknown {
  return JSON.parse(readFileSync(path.join(import.meta.dirname, name), 'utf8'));
}

export const TORRENT_VECTORS = load('torrents.json') as readonly TorrentVector[];
export const MAGNET_VECTORS = (load('magnets.json') as { readonly entries: readonly MagnetVector[] }).entries;

export function torrentBytes(vector: TorrentVector): Uint8Array {
  return Uint8Array.from(Buffer.from(vector.torrent, 'base64'));
}

/** The bytes of file `index` in the reference torrents. */
export function contentOf(index: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: sizeBytes }, (_, at) => (index * 31 + at * 7 + Math.floor(at / 251)) % 256);
}
