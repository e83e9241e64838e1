/**
 * `GET` and `HEAD /<sha256>[.ext]`: the byte path. It bypasses the framework; between the request and the first read lie
 * one look-up and one plan.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Forbidden, NotFound } from '../../base/errors.ts';
import type { Sha256 } from '../../base/ids.ts';
import { rangeLength, type ByteRange } from '../../base/range.ts';
import type { Medium } from '../../media/medium.ts';
import type { BlobReader } from '../../store/blobs.ts';
import type { StoredMedia } from '../ports.ts';
import type { BufferPool } from './buffer-pool.ts';
import { planDelivery, prepareBlob, type DeliveryPlan, type PreparedBlob } from './plan.ts';
import { SMALL_BLOB_BYTES, SmallBlobs } from './small-blobs.ts';
import { sendRange, type Exchange } from './sender.ts';

export interface DeliveryDeps {
  readonly media: StoredMedia;
  readonly pool: BufferPool;
  /** Told the body bytes of every answer that begins. */
  readonly onBytes?: (count: number) => void;
}

/** How a page would load bytes as code; no blob is ever that (Fetch Metadata). */
const CODE_DESTINATIONS = new Set([
  'script',
  'style',
  'worker',
  'sharedworker',
  'serviceworker',
  'audioworklet',
  'paintworklet',
  'xslt',
  'manifest',
  'object',
  'embed',
]);

export class DeliveryDoor {
  readonly #deps: DeliveryDeps;
  readonly #small = new SmallBlobs();
  readonly #prepared = new WeakMap<Medium, PreparedBlob>();

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  /** `query` is the part after `?`. @throws NotFound, Forbidden, StorageFailed (then the connection is cut already) */
  async answer(exchange: Exchange, blob: Sha256, query: string): Promise<void> {
    const { request, response } = exchange;
    refuseCode(request);
    const medium = this.#deps.media.find(blob);
    if (medium === undefined) throw new NotFound('this server has no such blob');
    const prepared = this.#prepare(medium);
    const plan = planDelivery(prepared, {
      method: request.method === 'HEAD' ? 'HEAD' : 'GET',
      headers: request.headers,
      isDownload: query !== '' && isDownload(query),
    });
    if (plan.body === undefined || rangeLength(plan.body) === 0) return answerHead(response, plan);
    this.#deps.onBytes?.(rangeLength(plan.body));
    if (medium.sizeBytes <= SMALL_BLOB_BYTES) await this.#sendSmall(response, medium, plan, plan.body);
    else await this.#stream(exchange, medium, plan, plan.body);
  }

  /** Media hands out the same object for a blob until something about it changes. */
  #prepare(medium: Medium): PreparedBlob {
    const known = this.#prepared.get(medium);
    if (known !== undefined) return known;
    const prepared = prepareBlob(medium);
    this.#prepared.set(medium, prepared);
    return prepared;
  }

  async #sendSmall(response: ServerResponse, medium: Medium, plan: DeliveryPlan, range: ByteRange): Promise<void> {
    const bytes = this.#small.get(medium.sha256) ?? (await this.#readSmall(medium));
    const isWhole = rangeLength(range) === bytes.length;
    response.writeHead(plan.status, plan.headers);
    response.end(isWhole ? bytes : bytes.subarray(range.start, range.endExclusive));
  }

  async #readSmall({ sha256, sizeBytes }: Medium): Promise<Uint8Array> {
    await using reader = await this.#open(sha256);
    return await this.#small.read(sha256, reader, sizeBytes);
  }

  async #stream(exchange: Exchange, { sha256 }: Medium, plan: DeliveryPlan, range: ByteRange): Promise<void> {
    await using reader = await this.#open(sha256);
    exchange.response.writeHead(plan.status, plan.headers);
    await sendRange(exchange, reader, range, this.#deps.pool);
  }

  async #open(sha256: Sha256): Promise<BlobReader> {
    const reader = await this.#deps.media.openBlob(sha256);
    if (reader === undefined) throw new NotFound('this server has no such blob');
    return reader;
  }
}

function answerHead(response: ServerResponse, plan: DeliveryPlan): void {
  response.writeHead(plan.status, plan.headers);
  response.end();
}

function refuseCode(request: IncomingMessage): void {
  const destination = request.headers['sec-fetch-dest'];
  if (typeof destination === 'string' && CODE_DESTINATIONS.has(destination)) {
    throw new Forbidden('files people uploaded are never loaded as code');
  }
}

function isDownload(query: string): boolean {
  const value = new URLSearchParams(query).get('download');
  return value !== null && value !== '0' && value !== 'false';
}
