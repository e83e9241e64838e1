/**
 * A small document over HTTP, through the guard: counted, uncoded, in time. One deadline holds from the name's look-up
 * to the last byte, and a server that drips is given up before it.
 */
import { concatBytes } from '../../base/bytes.ts';
import { type AppError, Cancelled, TimedOut } from '../../base/errors.ts';
import { SECOND_MS } from '../../base/units.ts';
import { FetchFailed } from './fetch-failed.ts';
import type { Guard, GuardedAnswer, RequestOptions } from './guard.ts';
import { Patience, type PatienceOptions } from './patience.ts';
import { parseTarget } from './target.ts';

const DEADLINE_MS = 20 * SECOND_MS;

export interface FetchOptions extends RequestOptions, PatienceOptions {
  readonly maxBytes: number;
  /** From the name's look-up to the last byte. Default 20 s. */
  readonly deadlineMs?: number;
  /** Whether bodies of other statuses than 2xx count too. Default false. */
  readonly anyStatus?: boolean;
}

export interface Fetched {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly statusCode: number;
  /** The IP literal it came from. */
  readonly address: string;
  /** All that host has. */
  readonly addresses: readonly string[];
}

/** Fetches a whole document. @throws FetchFailed for every cause alike, its `reason` apart; Cancelled */
export async function guardedFetch(guard: Guard, text: string, options: FetchOptions): Promise<Fetched> {
  const { signal, deadlineMs = DEADLINE_MS } = options;
  const attempt = new AbortController();
  const abort = (): void => attempt.abort(new Cancelled('fetching was cancelled', {}, { cause: signal.reason }));
  const tooLate = (): void => attempt.abort(new TimedOut('the server is too slow'));
  const cancelDeadline = guard.clock.after(deadlineMs, tooLate);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const patience = new Patience(guard.clock, options);
    const answer = await guard.request(parseTarget(text), { ...options, signal: attempt.signal });
    return await readAnswer(answer, options, (next) => patience.wait(next, tooLate), patience);
  } catch (error) {
    throw failureOf(attempt.signal.aborted ? attempt.signal.reason : error);
  } finally {
    cancelDeadline();
    signal.removeEventListener('abort', abort);
    attempt.abort(); // whatever is still open belongs to nobody
  }
}

async function readAnswer(
  { response, address, addresses }: GuardedAnswer,
  { maxBytes, anyStatus = false }: FetchOptions,
  wait: <T>(next: Promise<T>) => Promise<T>,
  patience: Patience,
): Promise<Fetched> {
  const statusCode = response.statusCode ?? 0;
  if (!anyStatus && (statusCode < 200 || statusCode > 299)) throw new FetchFailed('status', { statusCode });
  if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') throw new FetchFailed('encoding');
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw new FetchFailed('size');
  const chunks: Uint8Array[] = [];
  const body: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
  for (let sizeBytes = 0; ;) {
    const { done, value } = await wait(body.next());
    if (done === true) return { bytes: concatBytes(chunks), statusCode, address, addresses };
    sizeBytes += value.length;
    if (sizeBytes > maxBytes) throw new FetchFailed('size');
    patience.received(value.length);
    chunks.push(value);
  }
}

function failureOf(error: unknown): AppError {
  if (error instanceof FetchFailed || error instanceof Cancelled) return error;
  return new FetchFailed(error instanceof TimedOut ? 'slow' : 'connection', { cause: error });
}
