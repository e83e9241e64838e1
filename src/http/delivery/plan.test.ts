import { expect, test } from 'vitest';
import { parseSha256 } from '../../base/ids.ts';
import { planDelivery, prepareBlob, type BlobRequest } from './plan.ts';

const blob = prepareBlob({
  sha256: parseSha256('ab'.repeat(32)),
  sizeBytes: 1000,
  type: 'video/mp4',
  name: 'clip.mp4',
  createdAtMs: Date.UTC(2026, 10, 20),
});
const etag = `"${'ab'.repeat(32)}"`;

const plan = (request: Partial<BlobRequest>) =>
  planDelivery(blob, { method: 'GET', headers: {}, isDownload: false, ...request });

/** Names and values in turn, as an object. */
function headersOf(request: Partial<BlobRequest>): Record<string, string> {
  const { headers } = plan(request);
  const names = headers.filter((_, at) => at % 2 === 0);
  return Object.fromEntries(names.map((name, at) => [name, headers[2 * at + 1] ?? '']));
}

test.each([
  [{}, 200, { start: 0, endExclusive: 1000 }],
  [{ headers: { range: 'bytes=10-19' } }, 206, { start: 10, endExclusive: 20 }],
  [{ headers: { range: 'bytes=10-19', 'if-range': etag } }, 206, { start: 10, endExclusive: 20 }],
  [{ headers: { range: 'bytes=10-19', 'if-range': '"other"' } }, 200, { start: 0, endExclusive: 1000 }],
  [{ headers: { range: 'bytes=1000-' } }, 416, undefined],
  [{ headers: { range: 'bytes=1000-', 'if-none-match': etag } }, 304, undefined],
  [{ headers: { range: 'bytes=10-19', 'if-match': '"other"' } }, 412, undefined],
  [{ method: 'HEAD' as const, headers: { range: 'bytes=10-19' } }, 200, undefined],
])('%j answers %d with the bytes %j', (request, status, body) => {
  const { status: planned, body: range } = plan(request);
  expect({ planned, range }).toEqual({ planned: status, range: body });
});

test('every body comes contained, with its length, validators and a year of caching', () => {
  for (const request of [{}, { headers: { range: 'bytes=0-9' } }, { method: 'HEAD' as const }]) {
    expect(headersOf(request)).toMatchObject({
      'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'/),
      'x-content-type-options': 'nosniff',
      'content-length': expect.stringMatching(/^\d+$/),
      etag,
      'cache-control': 'public, max-age=31536000, immutable',
    });
  }
});

test('a download is an attachment whatever its type', () => {
  expect(headersOf({ isDownload: true })['content-disposition']).toBe('attachment; filename="clip.mp4"');
  expect(headersOf({})['content-disposition']).toBe('inline; filename="clip.mp4"');
});
