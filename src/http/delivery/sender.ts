/**
 * Sends a byte range of an open blob as a response body: a positioned read into a pooled buffer, a write, the next read
 * when the socket wants more. No stream objects (measured: they cost twice the CPU of the bytes). At most two buffers
 * per connection. A blob that is shorter than promised cuts the connection: the length is already on the wire.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StorageFailed } from '../../base/errors.ts';
import type { ByteRange } from '../../base/range.ts';
import type { BlobReader } from '../../store/blobs.ts';
import { onGone } from '../connection.ts';
import type { BufferLease, BufferPool } from './buffer-pool.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Writes the body and ends the response; headers are written by the caller. Resolves when the last read is done or the
 * client has gone, so the reader may be closed then. @throws StorageFailed after destroying the connection.
 */
export async function sendRange(
  exchange: Exchange,
  reader: BlobReader,
  range: ByteRange,
  pool: BufferPool,
): Promise<void> {
  const body = new BodyWriter(exchange);
  try {
    for (let position = range.start; position < range.endExclusive && !body.isGone;) {
      const lease = pool.take(range.endExclusive - position);
      const chunk = await readInto(lease, reader, position, range.endExclusive);
      position += chunk.length;
      await body.write(lease, chunk, position >= range.endExclusive);
    }
    body.end();
  } catch (error) {
    body.cut();
    throw error;
  }
}

/** The bytes read; at least one. */
async function readInto(
  lease: BufferLease,
  reader: BlobReader,
  position: number,
  endExclusive: number,
): Promise<Uint8Array> {
  try {
    const wanted = firstBytes(lease.bytes, endExclusive - position);
    const count = await reader.read([wanted], position);
    if (count === 0) throw new StorageFailed('the blob on disk is shorter than recorded', { position });
    return firstBytes(wanted, count);
  } catch (error) {
    lease.drop();
    throw error;
  }
}

function firstBytes(bytes: Uint8Array, count: number): Uint8Array {
  return count >= bytes.length ? bytes : bytes.subarray(0, count);
}

/** One response body and the leases that are on their way out through it. */
class BodyWriter {
  readonly #response: ServerResponse;
  readonly #underway = new Set<BufferLease>();
  readonly #cancelGone: () => void;
  #resume: (() => void) | undefined;
  #isEnded = false;
  isGone = false;

  constructor({ request, response }: Exchange) {
    this.#response = response;
    this.#cancelGone = onGone(request, () => this.#gone());
    response.on('drain', () => this.#continue());
  }

  /** Resolves when the next chunk may be read. The last chunk leaves together with the end of the message. */
  async write(lease: BufferLease, chunk: Uint8Array, isLast: boolean): Promise<void> {
    if (this.isGone) {
      lease.drop();
      return;
    }
    this.#underway.add(lease);
    if (isLast) {
      this.#isEnded = true;
      this.#response.end(chunk, () => this.#finished(lease));
      return;
    }
    const isWanted = this.#response.write(chunk, (error) => this.#sent(lease, error));
    if (!isWanted) await new Promise<void>((resolve) => (this.#resume = resolve));
  }

  /** Ends a body that had no bytes. */
  end(): void {
    if (this.#isEnded || this.isGone) return;
    this.#cancelGone();
    this.#response.end();
  }

  /** Breaks the connection off, so that the client cannot take a short body for the whole. */
  cut(): void {
    this.#response.destroy();
  }

  #sent(lease: BufferLease, error: Error | null | undefined): void {
    this.#underway.delete(lease);
    if (error) lease.drop();
    else lease.giveBack();
  }

  #finished(lease: BufferLease): void {
    this.#sent(lease, undefined);
    this.#cancelGone();
  }

  #continue(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  #gone(): void {
    this.isGone = true;
    for (const lease of this.#underway) lease.drop();
    this.#underway.clear();
    this.#continue();
  }
}
