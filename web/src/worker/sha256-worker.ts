/** Flat SHA-256 of a stream of buffers, in a thread of its own: WebCrypto cannot hash in steps. One hash per worker. */
import { createSHA256 } from 'hash-wasm';

/** Buffers in order (transferred), then `undefined`. */
export interface Sha256Request {
  readonly bytes: ArrayBuffer | undefined;
}

/** One reply per buffer, so that the sender can hold back; the last one carries the hash in hex. */
export interface Sha256Reply {
  readonly sha256?: string;
}

const hash = createSHA256();

globalThis.addEventListener('message', ({ data: { bytes } }: MessageEvent<Sha256Request>) => {
  // `hash` is settled after the first message, so later ones are handled in order.
  void hash.then((hasher) => {
    if (bytes !== undefined) hasher.update(new Uint8Array(bytes));
    const reply: Sha256Reply = bytes === undefined ? { sha256: hasher.digest('hex') } : {};
    globalThis.postMessage(reply);
  });
});
