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

export interface DeliveryPlan {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: Readonly<Record<string, string | number>>;
  /** The bytes to send; undefined where the answer has no body. */
  readonly body?: ByteRange;
}

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
  readonly cacheHeaders: Readonly<Record<string, string>>;
  readonly bodyHeaders: Readonly<Record<string, string>>;
  readonly attachment: string;
}

export function prepareBlob(facts: BlobFacts): PreparedBlob {
  const type = servedType(facts.type);
  const validators = { etag: etagOf(facts.sha256), lastModified: new Date(facts.createdAtMs).toUTCString() };
  const cacheHeaders = {
    ...BLOSSOM_CORS,
    etag: validators.etag,
    'last-modified': validators.lastModified,
    'cache-control': 'public, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
  };
  const attachment = contentDisposition('attachment', facts.name, facts.sha256);
  const disposition = isShownInline(type) ? contentDisposition('inline', facts.name, facts.sha256) : attachment;
  const bodyHeaders = { ...cacheHeaders, ...CONTAINED, 'content-type': type, 'content-disposition': disposition };
  return { facts, validators, cacheHeaders, bodyHeaders, attachment };
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
  if (verdict === 304) return { status: 304, headers: blob.cacheHeaders };
  if (verdict === 412) return { status: 412, headers: { ...blob.cacheHeaders, 'content-length': 0 } };
  return request.method === 'GET' ? planBody(blob, request) : planWhole(blob, request);
}

function planBody(blob: PreparedBlob, request: BlobRequest): DeliveryPlan {
  const { sizeBytes } = blob.facts;
  const ifRange = singleHeader(request.headers, 'if-range');
  const range = ifRangeHolds(ifRange, blob.validators) ? chooseRange(request.headers.range, sizeBytes) : 'whole';
  if (range === 'whole') return { ...planWhole(blob, request), body: { start: 0, endExclusive: sizeBytes } };
  if (range === 'unsatisfiable') {
    return {
      status: 416,
      headers: { ...BLOSSOM_CORS, 'content-range': `bytes */${sizeBytes}`, 'content-length': 0 },
    };
  }
  const partHeaders = {
    ...headersOf(blob, request),
    'content-range': `bytes ${range.start}-${range.endExclusive - 1}/${sizeBytes}`,
    'content-length': rangeLength(range),
  };
  return { status: 206, headers: partHeaders, body: range };
}

function planWhole(blob: PreparedBlob, request: BlobRequest): DeliveryPlan {
  return { status: 200, headers: { ...headersOf(blob, request), 'content-length': blob.facts.sizeBytes } };
}

function headersOf(blob: PreparedBlob, { isDownload }: BlobRequest): Readonly<Record<string, string>> {
  return isDownload ? { ...blob.bodyHeaders, 'content-disposition': blob.attachment } : blob.bodyHeaders;
}
