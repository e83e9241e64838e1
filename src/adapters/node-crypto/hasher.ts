/**
 * Hashing in Node. What is short is hashed at once on the calling thread: at some 2 GB/s a MiB takes half a millisecond,
 * and WebCrypto's own thread costs a copy, its page faults and its wiping (measured: 0.2 of 1.6 CPU seconds a GiB
 * downloaded, and a tenth of the throughput). What is longer goes to that thread, so that no turn of the event loop
 * lasts much longer than any other.
 */
import { hash } from 'node:crypto';
import { onArrayBuffer } from '../../base/bytes.ts';
import { MIB } from '../../base/units.ts';
import type { Hasher } from '../../torrent/ports.ts';

/** Longest input hashed on the calling thread. */
const INLINE_BYTES = MIB;

type Algorithm = 'sha1' | 'sha256';
const WEB_NAMES = { sha1: 'SHA-1', sha256: 'SHA-256' } as const satisfies Record<Algorithm, string>;

async function digest(algorithm: Algorithm, bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length <= INLINE_BYTES) return hash(algorithm, bytes, 'buffer');
  return new Uint8Array(await crypto.subtle.digest(WEB_NAMES[algorithm], onArrayBuffer(bytes)));
}

/** SHA-1 and SHA-256 by Node's OpenSSL. */
export const nodeHasher: Hasher = {
  sha1: (bytes) => digest('sha1', bytes),
  sha256: (bytes) => digest('sha256', bytes),
};
