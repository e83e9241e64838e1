/**
 * SHA-256 of a whole blob whose bytes come in order, of any size. WebCrypto is three times as fast as WebAssembly but
 * takes everything at once: small blobs go there, large ones step by step through a worker of their own.
 */
import { subtleHasher } from '../../../src/adapters/browser/subtle-hasher.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { type AppError, StorageFailed } from '../../../src/base/errors.ts';
import { parseSha256, type Sha256 } from '../../../src/base/ids.ts';
import { MIB } from '../../../src/base/units.ts';
import type { Sha256Reply, Sha256Request } from './sha256-worker.ts';

/** Bytes given and not yet hashed. */
export const IN_FLIGHT_BYTES = 32 * MIB;
/** Held in memory as a whole, twice for a moment. */
const MAX_WHOLE_BYTES = 64 * MIB;

export interface FlatHash extends Disposable {
  /** Takes the buffer over; resolves when there is room for another. @throws StorageFailed */
  update(bytes: ArrayBuffer): Promise<void>;
  /** Once, after the last byte. @throws StorageFailed */
  digest(): Promise<Sha256>;
}

/** For exactly `sizeBytes` bytes. */
export function createFlatHash(sizeBytes: number): FlatHash {
  return sizeBytes <= MAX_WHOLE_BYTES ? new WholeHash(sizeBytes) : new SteppedHash();
}

class WholeHash implements FlatHash {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #filled = 0;

  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(sizeBytes);
  }

  update(bytes: ArrayBuffer): Promise<void> {
    this.#bytes.set(new Uint8Array(bytes), this.#filled);
    this.#filled += bytes.byteLength;
    return Promise.resolve();
  }

  async digest(): Promise<Sha256> {
    return parseSha256(toHex(await subtleHasher.sha256(this.#bytes.subarray(0, this.#filled))));
  }

  [Symbol.dispose](): void {
    this.#filled = 0;
  }
}

/** The hashing worker, with a bound on what it has not taken yet. */
class SteppedHash implements FlatHash {
  readonly #worker = new Worker(new URL('./sha256-worker.ts', import.meta.url), { type: 'module', name: 'sha256' });
  readonly #waitingBytes: number[] = [];
  #error: AppError | undefined;
  #sha256: string | undefined;
  #wake: (() => void) | undefined;

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Sha256Reply>) => {
      this.#waitingBytes.shift();
      this.#sha256 = data.sha256;
      this.#wake?.();
    });
    this.#worker.addEventListener('error', (event) => {
      this.#error = new StorageFailed('the hashing worker failed', { reason: event.message });
      this.#wake?.();
    });
  }

  async update(bytes: ArrayBuffer): Promise<void> {
    this.#waitingBytes.push(bytes.byteLength);
    this.#tell({ bytes }, [bytes]);
    await this.#until(() => this.#waitingBytes.reduce((sum, size) => sum + size, 0) <= IN_FLIGHT_BYTES);
  }

  async digest(): Promise<Sha256> {
    this.#waitingBytes.push(0);
    this.#tell({ bytes: undefined });
    await this.#until(() => this.#sha256 !== undefined);
    return parseSha256(this.#sha256 ?? '');
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #tell(request: Sha256Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (this.#error === undefined && !isTrue())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#error !== undefined) throw this.#error;
  }
}
