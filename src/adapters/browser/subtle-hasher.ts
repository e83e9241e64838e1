/** Hashing by the browser's own WebCrypto, which runs off the calling thread. */
import { onArrayBuffer } from '../../base/bytes.ts';
import type { Hasher } from '../../torrent/ports.ts';

async function digest(algorithm: 'SHA-1' | 'SHA-256', bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, onArrayBuffer(bytes)));
}

/** Needs a secure context (https, or a loopback address). */
export const subtleHasher: Hasher = {
  sha1: (bytes) => digest('SHA-1', bytes),
  sha256: (bytes) => digest('SHA-256', bytes),
};
