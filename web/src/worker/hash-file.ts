/**
 * The identity of a picked file: flat SHA-256, canonical pieces and info hash, in one reading. Each piece is read once;
 * its SHA-1 runs in WebCrypto's threads while the same buffer goes to the SHA-256.
 */
import { subtleHasher } from '../../../src/adapters/browser/subtle-hasher.ts';
import { StorageFailed, throwIfAborted } from '../../../src/base/errors.ts';
import { parseSha256 } from '../../../src/base/ids.ts';
import { canonicalInfo, canonicalPieceLength } from '../../../src/codec/canonical.ts';
import { infoHashV1Of } from '../../../src/codec/metainfo.ts';
import { SHA1_BYTES } from '../../../src/codec/torrent-info.ts';
import type { HashedFile } from '../swarm/tab-protocol.ts';
import { createFlatHash, IN_FLIGHT_BYTES } from './flat-hash.ts';

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** @throws Cancelled, StorageFailed when the file cannot be read (any more) */
export async function hashFile(
  file: Blob,
  onProgress: (hashedBytes: number) => void,
  signal: AbortSignal,
): Promise<HashedFile> {
  if (file.size === 0) return { sha256: parseSha256(EMPTY_SHA256), infoHash: undefined, pieces: new Uint8Array(0) };
  using flat = createFlatHash(file.size);
  const pieceLengthBytes = canonicalPieceLength(file.size);
  const sha1s: Promise<Uint8Array>[] = [];
  for (let start = 0; start < file.size; start += pieceLengthBytes) {
    throwIfAborted(signal);
    const bytes = await read(file, start, start + pieceLengthBytes);
    // WebCrypto copies its input before it returns, so the buffer can move on at once.
    sha1s.push(subtleHasher.sha1(new Uint8Array(bytes)));
    await sha1s.at(-1 - Math.floor(IN_FLIGHT_BYTES / pieceLengthBytes));
    await flat.update(bytes);
    onProgress(Math.min(file.size, start + pieceLengthBytes));
  }
  const pieces = new Uint8Array(sha1s.length * SHA1_BYTES);
  for (const [index, sha1] of (await Promise.all(sha1s)).entries()) pieces.set(sha1, index * SHA1_BYTES);
  const sha256 = await flat.digest();
  const rawInfo = canonicalInfo({ sha256, sizeBytes: file.size, pieces });
  return { sha256, infoHash: await infoHashV1Of(rawInfo), pieces };
}

async function read(file: Blob, start: number, endExclusive: number): Promise<ArrayBuffer> {
  try {
    return await file.slice(start, endExclusive).arrayBuffer();
  } catch (error) {
    throw new StorageFailed('the file cannot be read; was it changed or removed?', { start }, { cause: error });
  }
}
