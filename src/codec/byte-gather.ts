/**
 * Bytes of a stream gathered until enough of them are there. For short exchanges such as handshakes, whose users bound
 * `length`; block bytes never pass through here.
 */

const FIRST_BYTES = 256;

export class ByteGather {
  #bytes = new Uint8Array(FIRST_BYTES);
  #start = 0;
  #end = 0;

  /** Bytes that have come and were not taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies the chunk behind what is there. */
  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) this.#makeRoom(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next `count` bytes, or undefined while fewer have come. The view is ours to change, and valid until the next `push`. */
  take(count: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.length < count) return undefined;
    const taken = this.#bytes.subarray(this.#start, this.#start + count);
    this.#start += count;
    return taken;
  }

  /** Offset of the pattern among the bytes that are there and before `endExclusive`; −1 when it is not. */
  indexOf(pattern: Uint8Array, endExclusive: number): number {
    const last = Math.min(this.length, endExclusive) - pattern.length;
    for (let offset = 0; offset <= last; offset++) {
      let same = 0;
      while (same < pattern.length && this.#bytes[this.#start + offset + same] === pattern[same]) same++;
      if (same === pattern.length) return offset;
    }
    return -1;
  }

  #makeRoom(count: number): void {
    const wanted = this.length + count;
    const roomy = wanted <= this.#bytes.length ? this.#bytes : new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    roomy.set(this.#bytes.subarray(this.#start, this.#end));
    this.#end = this.length;
    this.#start = 0;
    this.#bytes = roomy;
  }
}
