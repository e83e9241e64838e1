/** Buffers of one size, used again and again; no more than so many lie idle. */
export class BufferPool {
  readonly sizeBytes: number;
  readonly #maxIdle: number;
  readonly #idle: Uint8Array[] = [];

  constructor(sizeBytes: number, maxIdle: number) {
    this.sizeBytes = sizeBytes;
    this.#maxIdle = maxIdle;
  }

  /** Its bytes are whatever was there before. */
  take(): Uint8Array {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.sizeBytes);
  }

  /** Nobody may look at the buffer any more. */
  give(buffer: Uint8Array): void {
    if (this.#idle.length < this.#maxIdle) this.#idle.push(buffer);
  }
}
