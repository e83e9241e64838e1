/**
 * The DataStore behind @tus/server: each call becomes one use case of Media. Bytes do not come through the library's
 * streams (four conversions per chunk) but straight from the request of the current exchange.
 */
import type { Readable } from 'node:stream';
import { DataStore, Upload as TusUpload } from '@tus/server';
import type { Claim } from '../../accounts/claim.ts';
import { Forbidden, NotFound } from '../../base/errors.ts';
import { isUploadId, type UploadId } from '../../base/ids.ts';
import type { Upload } from '../../media/medium.ts';
import type { MediaIntake } from '../ports.ts';
import { metadataOf, wishFromMetadata } from './metadata.ts';

/** One tus request on its way through the library. */
export interface TusExchange {
  readonly claim: Claim;
  readonly method: string;
  /** `Upload-Offset` of the request. */
  readonly offsetBytes: number | undefined;
  readonly body: () => AsyncIterable<Uint8Array>;
  readonly stopping: AbortSignal;
  /** The upload as Media last showed it; the answer's extra headers come from it. */
  upload: Upload | undefined;
}

const EXTENSIONS = ['creation', 'creation-with-upload', 'creation-defer-length', 'termination', 'expiration'];

export class MediaDataStore extends DataStore {
  readonly #media: MediaIntake;
  readonly #current: () => TusExchange;
  override extensions = EXTENSIONS;

  constructor(media: MediaIntake, current: () => TusExchange) {
    super();
    this.#media = media;
    this.#current = current;
  }

  /** A blob that is stored already makes the upload complete at once. */
  override async create(asked: TusUpload): Promise<TusUpload> {
    const exchange = this.#current();
    const upload = await this.#media.createUpload(exchange.claim, wishFromMetadata(asked.metadata, asked.size));
    exchange.upload = upload;
    asked.id = upload.id;
    asked.offset = upload.offsetBytes;
    return asked;
  }

  override async getUpload(id: string): Promise<TusUpload> {
    const exchange = this.#current();
    const upload = this.#media.findUpload(exchange.claim, uploadIdOf(id));
    if (upload === undefined) throw new NotFound('there is no such upload; it may have expired');
    exchange.upload = upload;
    if (exchange.method === 'PATCH') refuseFinished(upload, exchange.offsetBytes);
    return asTus(upload);
  }

  override async write(libraryStream: Readable, id: string, offsetBytes: number): Promise<number> {
    const exchange = this.#current();
    libraryStream.resume(); // empty: the bytes come from the exchange
    if (exchange.upload?.state !== 'finished') await this.#append(exchange, uploadIdOf(id), offsetBytes);
    return exchange.upload?.offsetBytes ?? offsetBytes;
  }

  override async declareUploadLength(id: string, sizeBytes: number): Promise<void> {
    const exchange = this.#current();
    exchange.upload = await this.#media.declareLength(exchange.claim, uploadIdOf(id), sizeBytes);
  }

  override async remove(id: string): Promise<void> {
    await this.#media.terminate(this.#current().claim, uploadIdOf(id));
  }

  /** All bytes are in, or there never were any. Idempotent: the library released its lock before. */
  async finish(id: string): Promise<void> {
    const exchange = this.#current();
    const uploadId = uploadIdOf(id);
    if (exchange.upload?.state === 'finished') return;
    await this.#media.finish(exchange.claim, uploadId, exchange.stopping);
    exchange.upload = this.#media.findUpload(exchange.claim, uploadId);
  }

  async #append(exchange: TusExchange, id: UploadId, offsetBytes: number): Promise<void> {
    const { claim, body, stopping } = exchange;
    exchange.upload = await this.#media.append(claim, id, offsetBytes, body(), stopping);
  }
}

/** A PATCH at the end of a finished upload changes nothing and is refused; at another offset the library answers 409. */
function refuseFinished(upload: Upload, offsetBytes: number | undefined): void {
  if (upload.state === 'finished' && offsetBytes === upload.offsetBytes) {
    throw new Forbidden('the upload is finished and cannot change');
  }
}

function asTus(upload: Upload): TusUpload {
  const tus = new TusUpload({
    id: upload.id,
    offset: upload.offsetBytes,
    metadata: metadataOf(upload),
    creation_date: new Date(upload.createdAtMs).toISOString(),
  });
  tus.size = upload.sizeBytes;
  return tus;
}

/** What is no id of ours names no upload. @throws NotFound */
function uploadIdOf(text: string): UploadId {
  if (!isUploadId(text)) throw new NotFound('there is no such upload');
  return text;
}
