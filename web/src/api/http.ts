/**
 * Requests to our own `/api/v1` on this page's origin, with the session cookie. Every failure is an `ApiFailed` with
 * the server's stable code, or one of `offline` and `timed_out`. Answers are `unknown` until a reader has seen them.
 */
import { AppError, Cancelled, type ErrorFacts } from '../../../src/base/errors.ts';

/** No answer of the JSON API takes longer on a line that works. */
const ANSWER_TIMEOUT_MS = 20_000;

/** What the server, or the way to it, answered instead of a result. */
export class ApiFailed extends AppError {
  override readonly code: string;
  /** HTTP status; 0 when nothing came back. */
  readonly status: number;

  constructor(status: number, code: string, message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(message, facts, options);
    this.status = status;
    this.code = code;
  }
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly body?: string;
  /** Value of the Authorization header (NIP-98). */
  readonly authorization?: string;
  readonly signal?: AbortSignal;
}

type Fetch = typeof globalThis.fetch;

/** Sends one request and gives its JSON, undefined for an empty answer. @throws ApiFailed, Cancelled */
export async function callApi(
  path: string,
  request: ApiRequest = {},
  send: Fetch = globalThis.fetch,
): Promise<unknown> {
  const response = await reach(path, request, send);
  const text = await response.text();
  if (!response.ok) throw failureOf(response.status, text);
  return text === '' ? undefined : parseJson(text, response.status);
}

async function reach(path: string, request: ApiRequest, send: Fetch): Promise<Response> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  if (request.authorization !== undefined) headers['authorization'] = request.authorization;
  try {
    return await send(path, {
      method: request.method ?? 'GET',
      headers,
      credentials: 'same-origin',
      signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
  } catch (cause) {
    if (request.signal?.aborted) throw new Cancelled('the request was given up', {}, { cause });
    if (timeout.aborted) throw new ApiFailed(0, 'timed_out', 'the server did not answer in time', {}, { cause });
    throw new ApiFailed(0, 'offline', 'the server cannot be reached', {}, { cause });
  }
}

function failureOf(status: number, text: string): ApiFailed {
  const fallback = new ApiFailed(status, `http_${status}`, `the server answered ${status}`);
  if (!text.startsWith('{')) return fallback;
  const { code, message } = parseJson(text, status) as { code?: unknown; message?: unknown };
  if (typeof code !== 'string' || typeof message !== 'string') return fallback;
  return new ApiFailed(status, code, message);
}

function parseJson(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiFailed(status, 'bad_answer', 'the server answered something that is not JSON', {}, { cause });
  }
}

/** The stable code of any failure; `unknown` for what is not an AppError. */
export function codeOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'unknown';
}
