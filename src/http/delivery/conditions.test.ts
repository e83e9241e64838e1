import { expect, test } from 'vitest';
import { parseSha256 } from '../../base/ids.ts';
import { etagOf, ifRangeHolds, judgeConditions } from './conditions.ts';

const etag = etagOf(parseSha256('ab'.repeat(32)));
const blob = { etag, lastModified: 'Fri, 20 Nov 2026 08:00:00 GMT' };
const other = `"${'cd'.repeat(32)}"`;

test.each([
  [{}, 200],
  [{ ifNoneMatch: etag }, 304],
  [{ ifNoneMatch: `W/${etag}` }, 304],
  [{ ifNoneMatch: `${other}, ${etag}` }, 304],
  [{ ifNoneMatch: `${other},W/"x" , ${etag}` }, 304],
  [{ ifNoneMatch: '*' }, 304],
  [{ ifNoneMatch: other }, 200],
  [{ ifNoneMatch: 'ab'.repeat(32) }, 200],
  [{ ifNoneMatch: `${etag}${', "x"'.repeat(5000)}` }, 200],
  [{ ifMatch: etag }, 200],
  [{ ifMatch: '*' }, 200],
  [{ ifMatch: other }, 412],
  [{ ifMatch: `W/${etag}` }, 412],
  [{ ifMatch: other, ifNoneMatch: etag }, 412],
  [{ ifModifiedSince: blob.lastModified }, 304],
  [{ ifModifiedSince: 'Fri, 20 Nov 2026 08:00:01 GMT' }, 304],
  [{ ifModifiedSince: 'Fri, 20 Nov 2026 07:59:59 GMT' }, 200],
  [{ ifModifiedSince: 'yesterday' }, 200],
  [{ ifModifiedSince: blob.lastModified, ifNoneMatch: other }, 200],
])('the conditions %j answer %d', (headers, status) => {
  expect(judgeConditions(headers, blob)).toBe(status);
});

test.each([
  [undefined, true],
  [etag, true],
  [blob.lastModified, true],
  [`W/${etag}`, false],
  [other, false],
  ['Fri, 20 Nov 2026 08:00:01 GMT', false],
  ['nonsense', false],
])('If-Range %s lets the range be honoured: %s', (header, holds) => {
  expect(ifRangeHolds(header, blob)).toBe(holds);
});
