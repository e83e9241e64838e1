/**
 * Request bodies as byte streams, straight from the socket: no copy, no conversion. Leaving the loop early leaves the
 * connection alive, so an error can still be answered. A body that drips is cut by its average rate over the time
 * spent waiting for the client; the server's own slowness never counts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { Cancelled, InvalidInput, LengthRequired, TimedOut } from '../base/errors.ts';
import { KIB, SECOND_MS } from '../base/units.ts';

export interface BodyLimits {
  /** Average over the time spent waiting, after `graceMs`. */
  readonly minBytesPerSec: number;
  readonly graceMs: number;
}

export const DEFAULT_BODY_LIMITS: BodyLimits = { minBytesPerSec: KIB, graceMs: 20 * SECOND_MS };

const continued = new WeakSet<IncomingMessage>();

/** Sends `100 Continue` where the client waits for it (RFC 9110 §10.1.1); bodies are not invited before they are wanted. */
export function inviteBody(request: IncomingMessage, response: ServerResponse): void {
  if (!expectsContinue(request) || continued.has(request)) return;
  continued.add(request);
  response.writeContinue();
}

function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue';
}

/** A request body that is read once. */
export interface BodyReader {
  /**
   * The chunks as the socket gave them; each is the caller's to keep.
   * @throws Cancelled when the client goes away before the end, TimedOut when it drips.
   */
  chunks(): AsyncIterable<Uint8Array>;
  /** As `chunks`, but each is valid only until the next is asked for: its memory is freed then, not by the collector. */
  lentChunks(): AsyncIterable<Uint8Array>;
  /** How long the reader has been waiting for the next chunk; 0 while it does not wait. */
  waitingMs(): number;
}

export function openBody(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  limits: BodyLimits = DEFAULT_BODY_LIMITS,
): BodyReader {
  let askedAtMs: number | undefined;
  const waitingMs = (): number => (askedAtMs === undefined ? 0 : clock.monotonicMs() - askedAtMs);
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    inviteBody(request, response);
    const incoming = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
    let waitedMs = 0;
    let bytes = 0;
    try {
      for (;;) {
        askedAtMs = clock.monotonicMs();
        const next = await incoming.next().catch(clientGone);
        waitedMs += waitingMs();
        askedAtMs = undefined;
        if (next.done === true) return;
        bytes += next.value.length;
        if (isDripping(bytes, waitedMs, limits)) {
          throw new TimedOut('the body came too slowly; send it again on a better line', { bytes });
        }
        yield next.value;
      }
    } finally {
      await incoming.return?.(); // lets go of the request, so that what still comes can be thrown away
    }
  }
  return { chunks, lentChunks: () => lent(chunks()), waitingMs };
}

/**
 * Node gives each read 64 KiB outside of the heap, and the collector starts a full run every 32 MiB of those: 40 runs
 * and 1.4 CPU seconds per GiB. Detaching a buffer frees it at once. A chunk that is only a part of one is left alone.
 */
async function* lent(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    yield chunk;
    const { buffer } = chunk;
    if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
  }
}

function clientGone(cause: unknown): never {
  throw new Cancelled('the client went away in the middle of the body', {}, { cause });
}

function isDripping(bytes: number, waitedMs: number, limits: BodyLimits): boolean {
  return waitedMs > limits.graceMs && bytes < (limits.minBytesPerSec * waitedMs) / SECOND_MS;
}

/** `Content-Length` as a number; undefined where the body is chunked or absent. @throws InvalidInput above 2^53 − 1. */
export function contentLengthOf(request: IncomingMessage): number | undefined {
  const header = request.headers['content-length'];
  if (header === undefined) return undefined;
  const lengthBytes = Number(header);
  if (!/^\d+$/.test(header) || !Number.isSafeInteger(lengthBytes))
    throw new InvalidInput('Content-Length is no number');
  return lengthBytes;
}

/** @throws LengthRequired without a `Content-Length`. */
export function requireLength(request: IncomingMessage): number {
  const lengthBytes = contentLengthOf(request);
  if (lengthBytes === undefined) throw new LengthRequired('send a Content-Length header: the size is checked first');
  return lengthBytes;
}

/**
 * Before an answer that does not wait for the end of the body: a client that was never told to send it (RFC 9110
 * §10.1.1) may or may not send it now, so its connection cannot be used again. Call before `writeHead`.
 */
export function leaveBody(request: IncomingMessage, response: ServerResponse): void {
  if (!request.complete && expectsContinue(request) && !continued.has(request)) {
    response.setHeader('connection', 'close');
  }
}
