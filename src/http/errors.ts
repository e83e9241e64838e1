/**
 * The one table from errors to statuses, and the one shape of an error answer: `ApiError` JSON plus `X-Reason` for
 * people (BUD-01). What is not an AppError is a fault of ours: 500, logged, nothing of it shown.
 */
import type { ServerResponse } from 'node:http';
import type { ApiError } from '../base/api.ts';
import { AppError } from '../base/errors.ts';
import { leaveBody } from './body.ts';

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  invalid_input: 400,
  protocol_error: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timed_out: 408,
  conflict: 409,
  hash_mismatch: 409,
  gone: 410,
  length_required: 411,
  precondition_failed: 412,
  too_large: 413,
  unsupported_type: 415,
  misdirected: 421,
  rate_limited: 429,
  storage_failed: 500,
  unavailable: 503,
  cancelled: 503,
  no_space: 507,
};
const INTERNAL: ApiError = { code: 'internal', message: 'The server failed; its log says why.' };
const MAX_REASON_CHARS = 300;
const RETRY_AFTER_SEC = 30;

/** The path exists, the method is not offered there; the answer names those that are (RFC 9110 §15.5.6). */
export class MethodNotAllowed extends AppError {
  override readonly code = 'method_not_allowed';
  readonly allowed: readonly string[];

  constructor(method: string | undefined, allowed: readonly string[]) {
    super(`${method ?? 'this method'} is not offered here; use ${allowed.join(', ')}`);
    this.allowed = allowed;
  }
}

/** The request came for a host this listener does not answer for (DNS rebinding). */
export class Misdirected extends AppError {
  override readonly code = 'misdirected';
}

/** The protocol version or state the request was made for is not ours (tus). */
export class PreconditionFailed extends AppError {
  override readonly code = 'precondition_failed';
}

/** HTTP status of anything thrown; 500 for what is not an AppError. */
export function statusOf(error: unknown): number {
  return error instanceof AppError ? (STATUS_BY_CODE[error.code] ?? 500) : 500;
}

/** The JSON a client sees. */
export function describeError(error: unknown): ApiError {
  if (!(error instanceof AppError)) return INTERNAL;
  const facts = Object.fromEntries(
    Object.entries(error.facts).filter((fact): fact is [string, string | number | boolean] => fact[1] !== undefined),
  );
  const shape = { code: error.code, message: error.message };
  return Object.keys(facts).length === 0 ? shape : { ...shape, facts };
}

/** Any text as a header value: printable ASCII on one line. */
export function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON_CHARS);
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Status, headers and body for anything thrown. */
export function answerFor(error: unknown): ErrorAnswer {
  const status = statusOf(error);
  const shape = describeError(error);
  const body = JSON.stringify(shape);
  const headers: Record<string, string> = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-reason': headerText(shape.message),
    'x-content-type-options': 'nosniff',
  };
  if (error instanceof MethodNotAllowed) headers['allow'] = error.allowed.join(', ');
  if (status === 401) headers['www-authenticate'] = 'Nostr';
  if (status === 429 || status === 503) headers['retry-after'] = String(RETRY_AFTER_SEC);
  return { status, headers, body };
}

/**
 * Writes the error as the whole answer; where an answer has begun the connection is cut instead. What is still coming
 * of the request body is thrown away for a moment, so that the client gets to read why.
 */
export function sendError(
  response: ServerResponse,
  error: unknown,
  extraHeaders: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = answerFor(error);
  leaveBody(response.req, response);
  response.writeHead(status, { ...headers, ...extraHeaders });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
