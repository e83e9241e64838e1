/**
 * HTTP as a source of a torrent's bytes (BEP 19), by the browser's fetch. Answers are believed only as far as their
 * status and Content-Range go (RFC 9110 §14.4); the engine verifies the bytes.
 */
import { type Clock, systemClock } from '../../base/clock.ts';
import {
  AppError,
  Cancelled,
  NotFound,
  ProtocolError,
  RetryLater,
  throwIfAborted,
  Unavailable,
} from '../../base/errors.ts';
import { parseRetryAfterMs } from '../../codec/retry-after.ts';
import { webSeedOf, type WebSeededInfo } from '../../torrent/files-source.ts';
import type { RangeSource } from '../../torrent/ports.ts';

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+|\*)$/;

/** A URL that `Torrent.addWebSeed` takes. Its server must allow the page by CORS and show `Content-Range`. */
export class FetchSource implements RangeSource {
  /** Origin and path, for people and logs. */
  readonly label: string;
  /** The whole URL. */
  readonly identity: string;
  readonly #url: string;
  readonly #clock: Clock;

  /** `url` names the single file itself and carries no credentials. */
  constructor(url: string, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#url = url;
    const { origin, pathname, href } = new URL(url);
    this.label = origin + pathname;
    this.identity = href;
  }

  /**
   * The torrent's bytes from a web seed's URL: the file, or a folder that holds the torrent under its name.
   * @throws InvalidInput for a URL that cannot serve this torrent
   */
  static of(url: string, info: WebSeededInfo): RangeSource {
    return webSeedOf(url, info, (file) => new FetchSource(file.href));
  }

  /** Streams exactly [start, endExclusive). @throws NotFound, Unavailable, ProtocolError for other bytes, Cancelled */
  async *fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const body = await this.#open(start, endExclusive, signal);
    const reader = body.getReader();
    let leftBytes = endExclusive - start;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        leftBytes -= value.length;
        if (leftBytes < 0) throw new ProtocolError('a web seed sent more than its range', { start, endExclusive });
        yield value;
      }
    } catch (error) {
      throw typed(error, signal);
    } finally {
      // Also when the consumer stops early: the connection must not go on filling.
      await reader.cancel().catch(() => undefined);
    }
    if (leftBytes > 0) throw new ProtocolError('a web seed sent less than its range', { start, endExclusive });
  }

  async #open(start: number, endExclusive: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    throwIfAborted(signal);
    const response = await fetch(this.#url, {
      headers: { range: `bytes=${start}-${endExclusive - 1}` },
      signal,
      credentials: 'omit',
      cache: 'no-store',
    }).catch((error: unknown) => {
      throw typed(error, signal);
    });
    const refusal = refusalOf(response, start, endExclusive, this.#clock.nowMs());
    if (refusal === undefined && response.body !== null) return response.body;
    await response.body?.cancel();
    throw refusal ?? new ProtocolError('a web seed answered without a body');
  }
}

/** Why this answer cannot be the range [start, endExclusive); undefined when it is. */
export function refusalOf(
  response: Response,
  start: number,
  endExclusive: number,
  nowMs: number,
): AppError | undefined {
  const { status } = response;
  if (status === 404 || status === 410) return new NotFound('the web seed does not have this file', { status });
  const retryAfterMs =
    status === 429 || status === 503 ? parseRetryAfterMs(response.headers.get('retry-after'), nowMs) : undefined;
  if (retryAfterMs !== undefined)
    return new RetryLater('the web seed wants to be asked later', retryAfterMs, { status });
  if (status !== 206 && status !== 200) return new Unavailable('the web seed refused', { status });
  if (status === 200) return refusalOfWhole(response, start, endExclusive);
  const [, first, last] = CONTENT_RANGE.exec(response.headers.get('content-range') ?? '') ?? [];
  if (Number(first) === start && Number(last) === endExclusive - 1) return undefined;
  return new ProtocolError('the web seed sent another range', { start, endExclusive });
}

/** A server without ranges is good only for a request that wants the whole file. */
function refusalOfWhole(response: Response, start: number, endExclusive: number): AppError | undefined {
  const isWhole = start === 0 && response.headers.get('content-length') === String(endExclusive);
  return isWhole ? undefined : new Unavailable('the web seed does not support ranges', { start, endExclusive });
}

function typed(error: unknown, signal: AbortSignal): AppError {
  if (error instanceof AppError) return error;
  if (signal.aborted) return new Cancelled('cancelled by the caller', {}, { cause: error });
  return new Unavailable('the web seed cannot be reached', {}, { cause: error });
}
