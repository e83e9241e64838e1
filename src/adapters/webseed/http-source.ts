/**
 * A web seed (BEP 19): ranges of one file over HTTP. Only an exact 206 counts, whatever else comes is an error before
 * its first byte. Every request has a total deadline and a minimum rate; time in which our own side is busy is not held
 * against the server. Nothing is asked that the guard does not allow.
 */
import type http from 'node:http';
import type { AddressSource } from '../../base/address-policy.ts';
import {
  AppError,
  Cancelled,
  ProtocolError,
  RetryLater,
  throwIfAborted,
  TimedOut,
  Unavailable,
} from '../../base/errors.ts';
import { MINUTE_MS } from '../../base/units.ts';
import { parseRetryAfterMs } from '../../codec/retry-after.ts';
import type { RangeSource } from '../../torrent/ports.ts';
import { FetchFailed } from '../guard/fetch-failed.ts';
import type { Guard } from '../guard/guard.ts';
import { Patience, type PatienceOptions } from '../guard/patience.ts';

export interface HttpSourceOptions extends PatienceOptions {
  /** Of the file itself; see `webSeedOf`. */
  readonly url: URL;
  /** Size of the whole file; a server that claims another is refused. */
  readonly sizeBytes: number;
  /** Every request goes through it. */
  readonly guard: Guard;
  /** Who named the URL. */
  readonly source: AddressSource;
  /** From the request to its last byte. Default 5 min. */
  readonly totalTimeoutMs?: number;
}

export class HttpRangeSource implements RangeSource {
  readonly label: string;
  readonly identity: string;
  readonly #url: URL;
  readonly #options: HttpSourceOptions;

  constructor(options: HttpSourceOptions) {
    this.#url = options.url;
    this.label = this.#url.origin + this.#url.pathname;
    this.identity = this.#url.href;
    this.#options = options;
  }

  /** @throws ProtocolError, Unavailable (also where the guard says no), TimedOut, Cancelled */
  async *fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    throwIfAborted(signal);
    const { clock } = this.#options.guard;
    const patience = new Patience(clock, this.#options);
    const attempt = new AbortController();
    const abort = (): void =>
      attempt.abort(new Cancelled('the range is not wanted any more', {}, { cause: signal.reason }));
    signal.addEventListener('abort', abort, { once: true });
    const cancelDeadline = clock.after(this.#options.totalTimeoutMs ?? 5 * MINUTE_MS, () =>
      attempt.abort(new TimedOut('the web seed took too long', { host: this.#url.host })),
    );
    try {
      const lost = (): void => attempt.abort(new TimedOut('the web seed is too slow'));
      const response = await patience.wait(this.#open(start, endExclusive, attempt.signal), lost);
      yield* this.#body(response, endExclusive - start, patience, lost);
    } catch (error) {
      throw asAppError(attempt.signal.aborted ? attempt.signal.reason : error, this.#url);
    } finally {
      cancelDeadline();
      signal.removeEventListener('abort', abort);
      attempt.abort(); // whatever is still open belongs to nobody
    }
  }

  async #open(start: number, endExclusive: number, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { guard, source, sizeBytes } = this.#options;
    const range = `bytes=${start}-${endExclusive - 1}`;
    const { response } = await guard.request(this.#url, { source, signal, range });
    checkPartial(response, [start, endExclusive, sizeBytes], guard.clock.nowMs());
    return response;
  }

  async *#body(
    response: http.IncomingMessage,
    wantedBytes: number,
    patience: Patience,
    lost: () => void,
  ): AsyncGenerator<Uint8Array, void, void> {
    const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
    let receivedBytes = 0;
    while (receivedBytes < wantedBytes) {
      const { done, value } = await patience.wait(chunks.next(), lost);
      if (done === true) break;
      receivedBytes += value.length;
      patience.received(value.length);
      if (receivedBytes > wantedBytes) break;
      yield value;
    }
    if (receivedBytes !== wantedBytes)
      throw new ProtocolError('the web seed sent another number of bytes', { wantedBytes, receivedBytes });
    await chunks.next(); // the end mark, so that the connection can be used again
  }
}

/** @throws ProtocolError unless it is exactly the range that was asked for, uncoded. */
function checkPartial(
  response: http.IncomingMessage,
  [start, endExclusive, sizeBytes]: readonly [start: number, endExclusive: number, sizeBytes: number],
  nowMs: number,
): void {
  const { statusCode = 0, headers } = response;
  if (statusCode !== 206) {
    response.destroy();
    if (statusCode >= 200 && statusCode < 300) throw new ProtocolError('the web seed ignores ranges', { statusCode });
    throw refusalOf(statusCode, headers['retry-after'], nowMs);
  }
  const wanted = `bytes ${start}-${endExclusive - 1}/`;
  const range = headers['content-range'] ?? '';
  const coded = headers['content-encoding'] ?? 'identity';
  if ((range !== `${wanted}${sizeBytes}` && range !== `${wanted}*`) || coded !== 'identity') {
    response.destroy();
    throw new ProtocolError('the web seed sent another range', { wanted: wanted + sizeBytes, range, coded });
  }
}

function refusalOf(statusCode: number, retryAfter: string | undefined, nowMs: number): Unavailable {
  const isOverloaded = statusCode === 429 || statusCode === 503;
  const retryAfterMs = isOverloaded ? parseRetryAfterMs(retryAfter, nowMs) : undefined;
  if (retryAfterMs === undefined) return new Unavailable('the web seed refused', { statusCode });
  return new RetryLater('the web seed wants to be asked later', retryAfterMs, { statusCode });
}

function asAppError(error: unknown, url: URL): AppError {
  if (error instanceof AppError && !(error instanceof FetchFailed)) return error;
  const reason = error instanceof FetchFailed ? error.reason : 'connection';
  return new Unavailable('the web seed cannot be reached', { host: url.host, reason }, { cause: error });
}
