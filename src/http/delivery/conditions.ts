/**
 * Conditional requests (RFC 9110 §13) on a blob. Its entity tag is its sha256: strong, and equal on every server
 * in the world, so a client may resume on one server what it began on another.
 */
import type { Sha256 } from '../../base/ids.ts';

/** Request headers that decide between 200, 206, 304 and 412. */
export interface ConditionHeaders {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  readonly ifRange?: string | undefined;
}

/** The validators of one representation. */
export interface Validators {
  readonly etag: string;
  /** HTTP date, whole seconds. */
  readonly lastModified: string;
}

/** Strong entity tag of a blob. */
export function etagOf(blob: Sha256): string {
  return `"${blob}"`;
}

const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;
/** Longer lists are not read; the request then counts as unconditional, which is always right, only slower. */
const MAX_LIST_CHARS = 8_192;

function listNames(list: string, etag: string, compare: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true;
  if (list.length > MAX_LIST_CHARS) return false;
  for (const [tag] of list.matchAll(ENTITY_TAG)) {
    if (tag === etag || (compare === 'weak' && tag === `W/${etag}`)) return true;
  }
  return false;
}

/** What the preconditions say before any range is looked at (RFC 9110 §13.2.2). */
export function judgeConditions(headers: ConditionHeaders, { etag, lastModified }: Validators): 200 | 304 | 412 {
  if (headers.ifMatch !== undefined && !listNames(headers.ifMatch, etag, 'strong')) return 412;
  if (headers.ifNoneMatch !== undefined) return listNames(headers.ifNoneMatch, etag, 'weak') ? 304 : 200;
  if (headers.ifModifiedSince !== undefined) return isNotAfter(lastModified, headers.ifModifiedSince) ? 304 : 200;
  return 200;
}

function isNotAfter(lastModified: string, since: string): boolean {
  return Date.parse(lastModified) <= Date.parse(since); // NaN compares false: a bad date is ignored
}

/** Whether a `Range` may be honoured: no `If-Range`, or one that names exactly this representation (strongly). */
export function ifRangeHolds(ifRange: string | undefined, { etag, lastModified }: Validators): boolean {
  return ifRange === undefined || ifRange === etag || ifRange === lastModified;
}
