/**
 * The way of a file's bytes to the server: tus 1.0. We create the upload ourselves and always go on with `HEAD`, so a file the
 * server already has is finished without sending a byte, and a resume is the same path as a start.
 */
import type { UploadMetadata } from '../../../src/base/api.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { Cancelled } from '../../../src/base/errors.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { ApiFailed } from '../api/http.ts';
import type { FileHash } from './item.ts';

const ENDPOINT = '/api/v1/uploads';
const CREATE_TIMEOUT_MS = 20_000;
/** Growing pauses between attempts; the last one repeats while there is no answer. */
const RETRY_DELAYS_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
const MAX_ATTEMPTS = 500;

export interface TransferJob {
  readonly file: File;
  readonly name: string;
  readonly hash: FileHash;
  /** Of an earlier visit. */
  readonly uploadUrl?: string;
}

export interface TransferListener {
  created(uploadUrl: string): void;
  sent(sentBytes: number): void;
  /** No answer; another attempt follows. */
  unreachable(): void;
}

/** `Upload-Metadata` of the creation: base64 values, empty ones left out. */
export function encodeMetadata(fields: Readonly<Record<string, string | undefined>>): string {
  const pairs: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === '') continue;
    const binary = Array.from(utf8(value), (byte) => String.fromCharCode(byte)).join('');
    pairs.push(`${key} ${btoa(binary)}`);
  }
  return pairs.join(',');
}

/** The pause before attempt `attempt` (from 0), in ms. */
export function retryDelayMs(attempt: number): number {
  return RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)] ?? 0;
}

/** No answer, a failing server, or an upload that another connection still holds: worth another attempt. */
export function isTemporary(status: number): boolean {
  return status === 0 || status >= 500 || status === 409 || status === 423 || status === 429;
}

/** The server has forgotten this upload (expired, removed): begin a new one. */
export function isForgotten(status: number): boolean {
  return status === 404 || status === 410;
}

/** Sends what the server does not have yet; resolves when it has everything. @throws ApiFailed, Cancelled */
export async function transfer(job: TransferJob, listener: TransferListener, signal: AbortSignal): Promise<void> {
  if (job.uploadUrl !== undefined) {
    try {
      await send(job.file, job.uploadUrl, listener, signal);
      return;
    } catch (error) {
      if (!(error instanceof ApiFailed) || !isForgotten(error.status)) throw error;
    }
  }
  const uploadUrl = await createPatiently(job, listener, signal);
  listener.created(uploadUrl);
  await send(job.file, uploadUrl, listener, signal);
}

/** Tells the server to drop the upload; what it does not know any more is dropped already. @throws ApiFailed */
export async function terminate(uploadUrl: string): Promise<void> {
  const response = await fetch(uploadUrl, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0' } });
  if (!response.ok && !isForgotten(response.status)) throw await failureOf(response);
}

async function createPatiently(job: TransferJob, listener: TransferListener, signal: AbortSignal): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await create(job, signal);
    } catch (error) {
      const isLast = attempt >= MAX_ATTEMPTS || !(error instanceof ApiFailed) || !isTemporary(error.status);
      if (isLast) throw error;
      listener.unreachable();
      await sleep(systemClock, retryDelayMs(attempt), signal);
    }
  }
}

async function create(job: TransferJob, signal: AbortSignal): Promise<string> {
  const { sha256, infoHash } = job.hash;
  const metadata: UploadMetadata = {
    filename: job.name,
    filetype: job.file.type,
    sha256,
    ...(infoHash !== undefined && { infohash: infoHash }),
  };
  const response = await reach(signal, {
    'tus-resumable': '1.0.0',
    'upload-length': String(job.file.size),
    'upload-metadata': encodeMetadata({ ...metadata }),
  });
  const location = response.headers.get('location');
  if (response.status !== 201 || location === null) throw await failureOf(response);
  return new URL(location, globalThis.location.href).href;
}

async function reach(signal: AbortSignal, headers: Record<string, string>): Promise<Response> {
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(CREATE_TIMEOUT_MS)]);
    return await fetch(ENDPOINT, { method: 'POST', headers, signal: limited });
  } catch (cause) {
    if (signal.aborted) throw new Cancelled('the upload was stopped', {}, { cause });
    throw new ApiFailed(0, 'offline', 'the server cannot be reached', {}, { cause });
  }
}

async function failureOf(response: Response): Promise<ApiFailed> {
  return describeFailure(response.status, await response.text());
}

/** The server's own words where it sent them as JSON. */
export function describeFailure(status: number, body: string): ApiFailed {
  const fallback = new ApiFailed(status, `http_${status}`, `the server answered ${status}`);
  if (!body.startsWith('{')) return fallback;
  try {
    const { code, message } = JSON.parse(body) as { code?: unknown; message?: unknown };
    return typeof code === 'string' && typeof message === 'string' ? new ApiFailed(status, code, message) : fallback;
  } catch (cause) {
    return new ApiFailed(status, 'bad_answer', 'the server answered something that is not JSON', {}, { cause });
  }
}

async function send(file: File, uploadUrl: string, listener: TransferListener, signal: AbortSignal): Promise<void> {
  const tus = await import('tus-js-client');
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      void upload.abort().finally(() => reject(new Cancelled('the upload was stopped', {}, { cause: signal.reason })));
    };
    const upload = new tus.Upload(file, {
      uploadUrl,
      storeFingerprintForResuming: false,
      retryDelays: Array.from({ length: MAX_ATTEMPTS }, (_, attempt) => retryDelayMs(attempt)),
      onProgress: (sentBytes) => listener.sent(sentBytes),
      onShouldRetry(error) {
        const { status, code } = describeFailure(
          error.originalResponse?.getStatus() ?? 0,
          error.originalResponse?.getBody() ?? '',
        );
        const willRetry = isTemporary(status) && code !== 'hash_mismatch';
        if (willRetry) listener.unreachable();
        return willRetry;
      },
      onSuccess() {
        signal.removeEventListener('abort', stop);
        resolve();
      },
      onError(error) {
        signal.removeEventListener('abort', stop);
        const response = error instanceof tus.DetailedError ? error.originalResponse : undefined;
        reject(describeFailure(response?.getStatus() ?? 0, response?.getBody() ?? ''));
      },
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    else upload.start();
  });
}
