/**
 * tus 1.0 at `/api/v1/uploads`. @tus/server 2.4.5 keeps the protocol; around it this door does what the library gets
 * wrong or leaves out: 412 names our version, 415 for a foreign body type, X-HTTP-Method-Override, per-upload expiry,
 * our error shape, bodies without its stream conversions, and a lock that neither spins nor cuts a healthy sender.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Server as TusServer } from '@tus/server';
import type { Clock } from '../../base/clock.ts';
import {
  AppError,
  Conflict,
  InvalidInput,
  NotFound,
  TooLarge,
  Unavailable,
  UnsupportedType,
} from '../../base/errors.ts';
import { leaveBody, type BodyReader } from '../body.ts';
import { claimOf, type ClaimSource } from '../credentials.ts';
import type { Exchange } from '../delivery/sender.ts';
import { MethodNotAllowed, PreconditionFailed, sendError } from '../errors.ts';
import { singleHeader } from '../headers.ts';
import type { MediaIntake } from '../ports.ts';
import { joinTarget, type Target } from '../target.ts';
import { lockerOf, UploadLocks, type Holder } from './locks.ts';
import { MediaDataStore, type TusExchange } from './store.ts';

const PATH = '/api/v1/uploads';
const METHODS = ['POST', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS'];
const PATCH_TYPE = 'application/offset+octet-stream';
const EXPOSED = [
  'Location, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Expires',
  'Tus-Version, Tus-Resumable, Tus-Max-Size, Tus-Extension, X-Reason, X-Seedbed-Sha256',
].join(', ');

export interface TusDeps {
  readonly media: MediaIntake;
  readonly accounts: ClaimSource;
  readonly clock: Clock;
  readonly maxUploadBytes: number;
  readonly openBody: (exchange: Exchange) => BodyReader;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

interface Running extends TusExchange {
  readonly holder: Holder;
  failure: unknown;
}

export class TusDoor {
  readonly #deps: TusDeps;
  readonly #running = new AsyncLocalStorage<Running>();
  readonly #tus: TusServer;

  constructor(deps: TusDeps) {
    this.#deps = deps;
    const store = new MediaDataStore(deps.media, () => this.#current());
    const locker = lockerOf(new UploadLocks(deps.clock), () => {
      const { holder, method } = this.#current();
      return { holder, isReading: method === 'HEAD' };
    });
    this.#tus = new TusServer({
      path: PATH,
      datastore: store,
      locker,
      maxSize: deps.maxUploadBytes,
      relativeLocation: true,
      allowedHeaders: ['X-Requested-With'],
      onUploadFinish: async (_request, upload) => {
        await store.finish(upload.id);
        return {};
      },
      onResponseError: (_request, failure) => {
        this.#current().failure = failure;
        return undefined;
      },
    });
  }

  /** Answers completely. @throws AppError where nothing of the answer is written yet */
  async answer(exchange: Exchange, target: Target): Promise<void> {
    const { request, response } = exchange;
    const method = singleHeader(request.headers, 'x-http-method-override')?.toUpperCase() ?? request.method ?? '';
    response.setHeader('tus-resumable', '1.0.0');
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', EXPOSED);
    checkProtocol(exchange, method);
    const running = await this.#open(exchange, method);
    const answer = await this.#running.run(
      running,
      async () => await this.#tus.handleWeb(bodiless(exchange, target, method)),
    );
    await sendAnswer(exchange, running, answer);
  }

  async #open(exchange: Exchange, method: string): Promise<Running> {
    const { accounts, openBody, stopping } = this.#deps;
    const { request } = exchange;
    const claim =
      method === 'OPTIONS' ? ({ kind: 'guest', quotaBytes: 0 } as const) : await claimOf(accounts, request, { method });
    const offset = singleHeader(request.headers, 'upload-offset');
    const body = openBody(exchange);
    const holder = {
      waitingMs: () => body.waitingMs(),
      interrupt: () => request.socket.destroy(),
      isForceful: method === 'DELETE',
    };
    return {
      claim,
      method,
      offsetBytes: offset === undefined ? undefined : Number(offset),
      body: () => body.lentChunks(),
      stopping,
      holder,
      upload: undefined,
      failure: undefined,
    };
  }

  #current(): Running {
    const running = this.#running.getStore();
    if (running === undefined) throw new Unavailable('the upload library called outside of a request');
    return running;
  }
}

/** @throws PreconditionFailed, UnsupportedType, MethodNotAllowed */
function checkProtocol({ request, response }: Exchange, method: string): void {
  if (!METHODS.includes(method)) throw new MethodNotAllowed(method, METHODS);
  if (method === 'OPTIONS') return;
  if (request.headers['tus-resumable'] !== '1.0.0') {
    response.setHeader('tus-version', '1.0.0');
    throw new PreconditionFailed('send Tus-Resumable: 1.0.0');
  }
  if (method === 'PATCH' && request.headers['content-type'] !== PATCH_TYPE) {
    throw new UnsupportedType(`a PATCH carries ${PATCH_TYPE}`);
  }
}

/** The request as the library sees it: all headers, no body. The origin is never shown to anybody. */
function bodiless({ request }: Exchange, target: Target, method: string): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':'))
      headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return new Request(`http://tus.invalid${joinTarget(target)}`, { method, headers });
}

async function sendAnswer({ request, response }: Exchange, running: Running, answer: Response): Promise<void> {
  if (running.failure !== undefined || answer.status >= 400) {
    sendError(response, appErrorOf(running.failure, answer.status, await answer.text()));
    return;
  }
  for (const [name, value] of answer.headers) {
    if (!name.startsWith('access-control-expose') && name !== 'connection') response.setHeader(name, value);
  }
  describeUpload(running, (name, value) => response.setHeader(name, value));
  leaveBody(request, response);
  response.writeHead(answer.status);
  response.end();
}

function describeUpload({ upload, method }: Running, setHeader: (name: string, value: string) => void): void {
  if (upload === undefined || method === 'DELETE') return;
  if (upload.state === 'open') setHeader('upload-expires', new Date(upload.expiresAtMs).toUTCString());
  const sha256 = upload.medium?.sha256;
  if (sha256 !== undefined) setHeader('x-seedbed-sha256', sha256);
  if (method === 'POST' && upload.state === 'finished') setHeader('upload-offset', String(upload.offsetBytes));
}

/** The library throws plain objects and answers some refusals itself; both become errors of ours with its words. */
function appErrorOf(failure: unknown, status: number, text: string): unknown {
  if (failure instanceof AppError) return failure;
  if (failure instanceof Error && !('status_code' in failure)) return failure;
  const message = text.trim() === '' ? 'the upload request was refused' : text.trim();
  switch (status) {
    case 404:
    case 410:
      return new NotFound(message);
    case 409:
      return new Conflict(message);
    case 413:
      return new TooLarge(message);
    case 400:
    case 403:
    case 501:
      return new InvalidInput(message);
    default:
      return new Unavailable(message, { status });
  }
}
