/** The hashes of a stream of bytes: sha256, CRC-32, first bytes, and SHA-1 per piece where the piece length is known. */
import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { parseSha256 } from '../../base/ids.ts';
import type { Sha256 } from '../../base/ids.ts';

/** As many first bytes as sniffing wants. */
export const HEAD_BYTES = 4096;

export class PieceDigest {
  readonly #pieceLengthBytes: number;
  readonly #hashes: Buffer[] = [];
  #open: Hash | undefined;
  #openBytes = 0;

  constructor(pieceLengthBytes: number) {
    this.#pieceLengthBytes = pieceLengthBytes;
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const take = Math.min(bytes.length - at, this.#pieceLengthBytes - this.#openBytes);
      this.#take(bytes.subarray(at, at + take));
      at += take;
    }
  }

  /** SHA-1 of each piece, back to back, the last one of whatever length it has. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#close();
    return new Uint8Array(Buffer.concat(this.#hashes));
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length === this.#pieceLengthBytes) {
      this.#hashes.push(hash('sha1', bytes, 'buffer'));
      return;
    }
    this.#open ??= createHash('sha1');
    this.#open.update(bytes);
    this.#openBytes += bytes.length;
    if (this.#openBytes === this.#pieceLengthBytes) this.#close();
  }

  #close(): void {
    if (this.#open !== undefined) this.#hashes.push(this.#open.digest());
    this.#open = undefined;
    this.#openBytes = 0;
  }
}

export class RunningDigest {
  readonly #sha256 = createHash('sha256');
  readonly #head = new Uint8Array(HEAD_BYTES);
  #crc32 = 0;
  #sizeBytes = 0;

  update(bytes: Uint8Array): void {
    if (this.#sizeBytes < HEAD_BYTES) {
      this.#head.set(bytes.subarray(0, HEAD_BYTES - this.#sizeBytes), this.#sizeBytes);
    }
    this.#sha256.update(bytes);
    this.#crc32 = crc32(bytes, this.#crc32);
    this.#sizeBytes += bytes.length;
  }

  finish(): { sizeBytes: number; sha256: Sha256; crc32: number; head: Uint8Array<ArrayBuffer> } {
    return {
      sizeBytes: this.#sizeBytes,
      sha256: parseSha256(this.#sha256.digest('hex')),
      crc32: this.#crc32,
      head: this.#head.slice(0, Math.min(this.#sizeBytes, HEAD_BYTES)),
    };
  }
}
