/**
 * A web seed (BEP 19): ranges of one file over HTTP. Only an exact 206 counts, whatever else comes is an error before
 * its first byte. Every request has a total deadline and a minimum rate; time in which our own side is busy is not held
 * against the server. Nothing is asked that the guard does not allow.
 */
import http from 'node:http';
import https from 'node:https';
import { type Clock, systemClock } from '../../base/clock.ts';
import {
  AppError,
  Cancelled,
  Forbidden,
  ProtocolError,
  throwIfAborted,
  TimedOut,
  Unavailable,
} from '../../base/errors.ts';
import { KIB, MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { RangeSource } from '../../torrent/ports.ts';
import { type UrlGuard, webSeedUrl } from './url.ts';

const MAX_REDIRECTS = 3;
const MAX_HEADER_BYTES = 16 * KIB;

export interface HttpSourceOptions {
  readonly url: string;
  /** Name in the torrent: what a URL ending in `/` is completed by. */
  readonly torrentName: string;
  /** Size of the whole file; a server that claims another is refused. */
  readonly sizeBytes: number;
  /** Nothing is asked without its consent. */
  readonly allows: UrlGuard;
  readonly clock?: Clock;
  /** From the request to its last byte. Default 5 min. */
  readonly totalTimeoutMs?: number;
  /** Slower servers are given up. Default 64 KiB/s. */
  readonly minBytesPerSecond?: number;
  /** Waiting time that is free before the rate counts: connecting, first byte. Default 5 s. */
  readonly graceMs?: number;
  /** Parallel requests. Default 4. */
  readonly maxConnections?: number;
}

export class HttpRangeSource implements RangeSource {
  readonly label: string;
  readonly #url: URL;
  readonly #options: HttpSourceOptions;
  readonly #clock: Clock;
  readonly #agents: { readonly 'http:': http.Agent; readonly 'https:': https.Agent };

  /** @throws InvalidInput for a bad URL, Forbidden where the guard says no. */
  constructor(options: HttpSourceOptions) {
    this.#url = webSeedUrl(options.url, options.torrentName);
    if (!options.allows(this.#url)) throw new Forbidden('this web seed may not be asked', { host: this.#url.host });
    this.label = this.#url.origin + this.#url.pathname;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const pool = { keepAlive: true, maxSockets: options.maxConnections ?? 4, maxFreeSockets: 2 };
    this.#agents = { 'http:': new http.Agent(pool), 'https:': new https.Agent(pool) };
  }

  /** @throws ProtocolError, Unavailable, TimedOut, Forbidden, Cancelled */
  async *fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    throwIfAborted(signal);
    const patience = new Patience(this.#clock, this.#options);
    const attempt = new AbortController();
    const abort = (): void =>
      attempt.abort(new Cancelled('the range is not wanted any more', {}, { cause: signal.reason }));
    signal.addEventListener('abort', abort, { once: true });
    const cancelDeadline = this.#clock.after(this.#options.totalTimeoutMs ?? 5 * MINUTE_MS, () =>
      attempt.abort(new TimedOut('the web seed took too long', { host: this.#url.host })),
    );
    try {
      const response = await patience.wait(attempt, this.#open(start, endExclusive, attempt.signal));
      yield* this.#body(response, endExclusive - start, patience, attempt);
    } catch (error) {
      throw asAppError(attempt.signal.aborted ? attempt.signal.reason : error, this.#url);
    } finally {
      cancelDeadline();
      signal.removeEventListener('abort', abort);
      attempt.abort(); // whatever is still open belongs to nobody
    }
  }

  /** Lets go of idle connections. */
  close(): void {
    this.#agents['http:'].destroy();
    this.#agents['https:'].destroy();
  }

  async #open(start: number, endExclusive: number, signal: AbortSignal): Promise<http.IncomingMessage> {
    let url = this.#url;
    for (let hop = 0; ; hop++) {
      const response = await this.#request(url, start, endExclusive, signal);
      const target = redirectTarget(response, url);
      if (target === undefined) {
        checkPartial(response, start, endExclusive, this.#options.sizeBytes);
        return response;
      }
      response.destroy();
      if (hop === MAX_REDIRECTS) throw new ProtocolError('too many redirects', { host: url.host });
      if (target.hostname !== url.hostname || !this.#options.allows(target))
        throw new Forbidden('a redirect to another place is not followed', { host: target.host });
      url = target;
    }
  }

  #request(url: URL, start: number, endExclusive: number, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { request: send } = url.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const request = send(url, {
        agent: url.protocol === 'https:' ? this.#agents['https:'] : this.#agents['http:'],
        headers: { range: `bytes=${start}-${endExclusive - 1}`, 'accept-encoding': 'identity' },
        maxHeaderSize: MAX_HEADER_BYTES,
      });
      // Without an error: it would land on the socket, which may already be back in the pool.
      const abort = (): void => void request.destroy();
      signal.addEventListener('abort', abort, { once: true });
      request.on('close', () => signal.removeEventListener('abort', abort));
      request.on('error', reject);
      request.on('response', (response) => {
        response.on('error', () => undefined); // whoever still reads gets it from the iterator
        resolve(response);
      });
      request.end();
    });
  }

  async *#body(
    response: http.IncomingMessage,
    wantedBytes: number,
    patience: Patience,
    attempt: AbortController,
  ): AsyncGenerator<Uint8Array, void, void> {
    const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
    let receivedBytes = 0;
    while (receivedBytes < wantedBytes) {
      const { done, value } = await patience.wait(attempt, chunks.next());
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

/** How long a server may let us wait: a grace period, and more for every byte it sends. */
class Patience {
  readonly #clock: Clock;
  readonly #minBytesPerSecond: number;
  #leftMs: number;

  constructor(clock: Clock, options: HttpSourceOptions) {
    this.#clock = clock;
    this.#minBytesPerSecond = options.minBytesPerSecond ?? 64 * KIB;
    this.#leftMs = options.graceMs ?? 5 * SECOND_MS;
  }

  received(bytes: number): void {
    this.#leftMs += (bytes / this.#minBytesPerSecond) * SECOND_MS;
  }

  /** Waits for `answer`, and aborts the attempt when patience ends first. */
  async wait<T>(attempt: AbortController, answer: Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const cancel = this.#clock.after(this.#leftMs, () => attempt.abort(new TimedOut('the web seed is too slow')));
    try {
      return await answer;
    } finally {
      cancel();
      this.#leftMs -= this.#clock.monotonicMs() - startMs;
    }
  }
}

function redirectTarget(response: http.IncomingMessage, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0)) return undefined;
  const target = URL.parse(response.headers.location ?? '', from);
  if (target === null) throw new ProtocolError('a redirect without a place to go', { host: from.host });
  return webSeedUrl(target.href, '');
}

/** @throws ProtocolError unless it is exactly the range that was asked for, uncoded. */
function checkPartial(response: http.IncomingMessage, start: number, endExclusive: number, sizeBytes: number): void {
  const { statusCode = 0, headers } = response;
  if (statusCode !== 206) {
    response.destroy();
    if (statusCode >= 200 && statusCode < 300) throw new ProtocolError('the web seed ignores ranges', { statusCode });
    throw new Unavailable('the web seed refused', { statusCode });
  }
  const wanted = `bytes ${start}-${endExclusive - 1}/`;
  const range = headers['content-range'] ?? '';
  const coded = headers['content-encoding'] ?? 'identity';
  if ((range !== `${wanted}${sizeBytes}` && range !== `${wanted}*`) || coded !== 'identity') {
    response.destroy();
    throw new ProtocolError('the web seed sent another range', { wanted: wanted + sizeBytes, range, coded });
  }
}

function asAppError(error: unknown, url: URL): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new Unavailable('the web seed cannot be reached', { host: url.host, reason }, { cause: error });
}
