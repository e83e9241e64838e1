/** What a GET or HEAD of a blob answers, decided from plain values: status, headers and which bytes. No I/O. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Sha256 } from '../../base/ids.ts';
import { rangeLength, type ByteRange } from '../../base/range.ts';
import { BLOSSOM_CORS } from '../cors.ts';
import { singleHeader } from '../headers.ts';
import { etagOf, ifRangeHolds, judgeConditions, type Validators } from './conditions.ts';
import { isShownInline, servedType } from './content-type.ts';
import { contentDisposition } from './disposition.ts';
import { chooseRange } from './range.ts';

/** What is known of a blob before it is opened. */
export interface BlobFacts {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  /** Sniffed MIME type. */
  readonly type: string;
  /** The name people gave it. */
  readonly name: string;
  readonly createdAtMs: number;
}

export interface BlobRequest {
  readonly method: 'GET' | 'HEAD';
  readonly headers: IncomingHttpHeaders;
  /** `?download=1`: offered for saving whatever its type. */
  readonly isDownload: boolean;
}

/**
 * Names and values in turn, as `writeHead` takes them: objects of so many headers, made for each answer, cost as much as
 * a small answer itself (measured).
 */
export type HeaderList = string[];

export interface DeliveryPlan {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: HeaderList;
  /** The bytes to send; undefined where the answer has no body. */
  readonly body?: ByteRange;
}

const CORS_LIST: Readonly<HeaderList> = Object.entries(BLOSSOM_CORS).flat();

/** User content may do nothing on our origin: no script, no form, no plug-in, no frame of its own. */
const CONTAINED = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
} as const;

/** The parts of the answer that are the same for every request of one blob; worth keeping for blobs asked for often. */
export interface PreparedBlob {
  readonly facts: BlobFacts;
  readonly validators: Validators;
  readonly cacheHeaders: Readonly<HeaderList>;
  readonly inPlaceHeaders: Readonly<HeaderList>;
  readonly downloadHeaders: Readonly<HeaderList>;
}

export function prepareBlob(facts: BlobFacts): PreparedBlob {
  const type = servedType(facts.type);
  const validators = { etag: etagOf(facts.sha256), lastModified: new Date(facts.createdAtMs).toUTCString() };
  const cacheHeaders = Object.entries({
    ...BLOSSOM_CORS,
    etag: validators.etag,
    'last-modified': validators.lastModified,
    'cache-control': 'public, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
  }).flat();
  const bodyHeaders = [...cacheHeaders, ...Object.entries(CONTAINED).flat(), 'content-type', type];
  const headersAs = (kind: 'inline' | 'attachment'): HeaderList => [
    ...bodyHeaders,
    'content-disposition',
    contentDisposition(kind, facts.name, facts.sha256),
  ];
  const downloadHeaders = headersAs('attachment');
  const inPlaceHeaders = isShownInline(type) ? headersAs('inline') : downloadHeaders;
  return { facts, validators, cacheHeaders, inPlaceHeaders, downloadHeaders };
}

/** RFC 9110 in order: preconditions, then the range of a GET, then the whole. */
export function planDelivery(blob: PreparedBlob, request: BlobRequest): DeliveryPlan {
  const { headers } = request;
  const verdict = judgeConditions(
    {
      ifMatch: headers['if-match'],
      ifNoneMatch: headers['if-none-match'],
      ifModifiedSince: headers['if-modified-since'],
    },
    blob.validators,
  );
  if (verdict === 304) return { status: 304, headers: [...blob.cacheHeaders] };
  if (verdict === 412) return { status: 412, headers: [...blob.cacheHeaders, 'content-length', '0'] };
  return request.method === 'GET' ? planBody(blob, request) : planWhole(blob, request);
}

function planBody(blob: PreparedBlob, request: BlobRequest): DeliveryPlan {
  const { sizeBytes } = blob.facts;
  const ifRange = singleHeader(request.headers, 'if-range');
  const range = ifRangeHolds(ifRange, blob.validators) ? chooseRange(request.headers.range, sizeBytes) : 'whole';
  if (range === 'whole') return { ...planWhole(blob, request), body: { start: 0, endExclusive: sizeBytes } };
  if (range === 'unsatisfiable') {
    return { status: 416, headers: [...CORS_LIST, 'content-range', `bytes */${sizeBytes}`, 'content-length', '0'] };
  }
  const contentRange = `bytes ${range.start}-${range.endExclusive - 1}/${sizeBytes}`;
  const headers = headersOf(blob, request, rangeLength(range));
  headers.push('content-range', contentRange);
  return { status: 206, headers, body: range };
}

function planWhole(blob: PreparedBlob, request: BlobRequest): DeliveryPlan {
  return { status: 200, headers: headersOf(blob, request, blob.facts.sizeBytes) };
}

function headersOf(blob: PreparedBlob, { isDownload }: BlobRequest, lengthBytes: number): HeaderList {
  return [...(isDownload ? blob.downloadHeaders : blob.inPlaceHeaders), 'content-length', String(lengthBytes)];
}
