/**
 * `GET` and `HEAD /<sha256>[.ext]`: the byte path. It bypasses the framework; between the request and the first read lie
 * one look-up and one plan.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Forbidden, NotFound } from '../../base/errors.ts';
import type { Sha256 } from '../../base/ids.ts';
import { rangeLength } from '../../base/range.ts';
import type { StoredMedia } from '../ports.ts';
import type { BufferPool } from './buffer-pool.ts';
import { planDelivery, prepareBlob, type DeliveryPlan, type PreparedBlob } from './plan.ts';
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

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  /** `query` is the part after `?`. @throws NotFound, Forbidden, StorageFailed (then the connection is cut already) */
  async answer(exchange: Exchange, blob: Sha256, query: string): Promise<void> {
    const { request, response } = exchange;
    refuseCode(request);
    const medium = this.#deps.media.find(blob);
    if (medium === undefined) throw new NotFound('this server has no such blob');
    const prepared = prepareBlob(medium);
    const plan = planDelivery(prepared, {
      method: request.method === 'HEAD' ? 'HEAD' : 'GET',
      headers: request.headers,
      isDownload: query !== '' && isDownload(query),
    });
    if (plan.body === undefined || rangeLength(plan.body) === 0) answerHead(response, plan);
    else await this.#sendBody(exchange, prepared, plan);
  }

  async #sendBody(exchange: Exchange, blob: PreparedBlob, plan: DeliveryPlan): Promise<void> {
    const { media, pool, onBytes } = this.#deps;
    const { sha256, sizeBytes } = blob.facts;
    await using reader = await media.openBlob(sha256);
    if (reader === undefined) throw new NotFound('this server has no such blob');
    const range = plan.body ?? { start: 0, endExclusive: sizeBytes };
    exchange.response.writeHead(plan.status, plan.headers);
    onBytes?.(rangeLength(range));
    await sendRange(exchange, reader, range, pool);
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
