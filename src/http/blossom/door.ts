/**
 * Blossom's write side and lists (BUD-02, 06, 11, 12) at the root. `HEAD /upload` runs exactly the checks that `PUT` runs
 * before its body, in the same order, so a client that asks first is never surprised.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Claim } from '../../accounts/claim.ts';
import { InvalidInput, NotFound } from '../../base/errors.ts';
import { parseSha256, type Pubkey, type Sha256 } from '../../base/ids.ts';
import { leaveBody, type BodyReader } from '../body.ts';
import { answerPreflight, BLOSSOM_CORS } from '../cors.ts';
import { claimOf, type ClaimSource } from '../credentials.ts';
import type { Exchange } from '../delivery/sender.ts';
import type { PublicUrls } from '../describe.ts';
import { MethodNotAllowed } from '../errors.ts';
import type { UploadWish } from '../../media/medium.ts';
import type { MediaIntake, MediaLists } from '../ports.ts';
import { describeBlob } from './descriptor.ts';
import { listAfter } from './list.ts';
import { headWish, putWish } from './wish.ts';

export interface BlossomDeps {
  readonly media: MediaIntake & MediaLists;
  readonly accounts: ClaimSource;
  readonly urls: PublicUrls;
  readonly openBody: (exchange: Exchange) => BodyReader;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

const LIST_LIMIT = 100;
const MAX_LIST_LIMIT = 1_000;

export class BlossomDoor {
  readonly #deps: BlossomDeps;

  constructor(deps: BlossomDeps) {
    this.#deps = deps;
  }

  /** `PUT` and `HEAD /upload`. @throws AppError */
  async upload(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    switch (request.method) {
      case 'PUT':
        return await this.#put(exchange);
      case 'HEAD':
        await this.#preflight(request, headWish(request.headers));
        return end(response, 200);
      case 'OPTIONS':
        return answerPreflight(response);
      case undefined:
      default:
        throw new MethodNotAllowed(request.method, ['PUT', 'HEAD', 'OPTIONS']);
    }
  }

  /** `GET /list/<pubkey>?cursor&limit`, newest first. @throws AppError */
  async list({ request, response }: Exchange, owner: Pubkey, query: string): Promise<void> {
    if (request.method === 'OPTIONS') return answerPreflight(response);
    if (request.method !== 'GET') throw new MethodNotAllowed(request.method, ['GET', 'OPTIONS']);
    if (request.headers.authorization !== undefined) {
      await claimOf(this.#deps.accounts, request, { blossom: { verb: 'list' } });
    }
    const parameters = new URLSearchParams(query);
    const cursor = parameters.get('cursor');
    const limit = Math.floor(Number(parameters.get('limit') ?? LIST_LIMIT));
    if (!(limit >= 1)) throw new InvalidInput('limit is a number from 1 on');
    const after = cursor === null ? undefined : parseSha256(cursor);
    const page = listAfter(this.#deps.media, { owner, after, limit: Math.min(limit, MAX_LIST_LIMIT) });
    sendJson(
      response,
      200,
      page.map((medium) => describeBlob(medium, this.#deps.urls)),
    );
  }

  /** `DELETE /<sha256>`: drops the caller's hold on the blob; others keep theirs (BUD-12). @throws AppError */
  async remove({ request, response }: Exchange, blob: Sha256): Promise<void> {
    const claim = await claimOf(this.#deps.accounts, request, { blossom: { verb: 'delete', blob } });
    await this.#deps.media.remove(claim, blob);
    end(response, 204);
  }

  /** `/mirror`, `/report`, `/media`: parts of Blossom this server does not offer; clients fall back on a plain 404. */
  absent({ request, response }: Exchange): void {
    if (request.method === 'OPTIONS') return answerPreflight(response);
    throw new NotFound('this server does not offer this Blossom endpoint');
  }

  async #put(exchange: Exchange): Promise<void> {
    const { media, urls, openBody, stopping } = this.#deps;
    const wish = putWish(exchange.request.headers);
    const claim = await this.#preflight(exchange.request, wish);
    const { medium, isNew } = await media.ingest(claim, openBody(exchange).lentChunks(), wish, stopping);
    leaveBody(exchange.request, exchange.response);
    sendJson(exchange.response, isNew ? 201 : 200, describeBlob(medium, urls));
  }

  async #preflight(request: IncomingMessage, wish: UploadWish): Promise<Claim> {
    const blob = wish.sha256;
    const action = blob === undefined ? { verb: 'upload' as const } : { verb: 'upload' as const, blob };
    const claim = await claimOf(this.#deps.accounts, request, { blossom: action });
    this.#deps.media.checkUpload(claim, wish);
    return claim;
  }
}

function end(response: ServerResponse, status: 200 | 204): void {
  leaveBody(response.req, response);
  response.writeHead(status, { ...BLOSSOM_CORS, ...(status === 200 ? { 'content-length': 0 } : {}) });
  response.end();
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    ...BLOSSOM_CORS,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}
