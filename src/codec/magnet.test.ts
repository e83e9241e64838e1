import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAGNET_VECTORS, type MagnetVector } from '../../test/vectors/vectors.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseInfoHashV1, parseInfoHashV2 } from '../base/ids.ts';
import { formatMagnet, parseMagnet, withoutContacts } from './magnet.ts';

const v1 = parseInfoHashV1('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const v2 = parseInfoHashV2('ab'.repeat(32));
const start = `magnet:?xt=urn:btih:${v1}`;
const textOf = ({ text, repeat }: MagnetVector): string => text + (repeat?.[0].repeat(repeat[1]) ?? '');

describe('magnets as strangers send them', () => {
  test.each(MAGNET_VECTORS.filter((vector) => vector.accept))('$id is taken: $why', (vector) => {
    const { name, sizeBytes, ...rest } = withoutContacts(parseMagnet(textOf(vector)));
    const { dn, xl, ...hashes } = vector.keeps ?? {};
    expect(rest).toEqual({ ...hashes, trackers: [], webSeeds: [], metainfoUrls: [], peers: [], selectedFiles: [] });
    expect(sizeBytes).toBe(xl);
    if (dn !== undefined) expect(name).toBe(dn);
    expect(name ?? '').not.toMatch(/[/\\]/);
  });

  test.each(MAGNET_VECTORS.filter((vector) => !vector.accept))('$id is refused: $why', (vector) => {
    expect(() => parseMagnet(textOf(vector))).toThrow(InvalidInput);
  });

  test.each([
    ['two v1 hashes', `${start}&xt=urn:btih:${'0'.repeat(40)}`],
    ['two v2 hashes', `magnet:?xt=urn:btmh:1220${v2}&xt=urn:btmh:1220${'0'.repeat(64)}`],
    ['another multihash', `magnet:?xt=urn:btmh:1114${'0'.repeat(40)}`],
    ['base32 with a forbidden letter', 'magnet:?xt=urn:btih:YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKE1'],
    ['only another topic', 'magnet:?xt=urn:sha1:YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK'],
    ['more than 200 parameters', start + '&dn=a'.repeat(200)],
    ['more than 8 KiB', `${start}&dn=${'a'.repeat(8_192)}`],
  ])('%s is refused', (_, text) => {
    expect(() => parseMagnet(text)).toThrow(InvalidInput);
  });
});

describe('parameters', () => {
  test('the same hash twice, in two spellings, is one hash', () => {
    expect(parseMagnet(`${start}&xt=urn:btih:YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK`).v1).toBe(v1);
  });

  test('contacts are kept apart by kind', () => {
    const magnet = parseMagnet(
      `${start}&tr=udp%3A%2F%2Ft%3A1&tr.2=wss%3A%2F%2Fu&ws=http%3A%2F%2Fw%2F&xs=https%3A%2F%2Fx%2Fy&x.pe=192.0.2.1:9&x.pe=[2001:DB8::1]:9`,
    );
    expect(magnet).toEqual({
      v1,
      trackers: ['udp://t:1', 'wss://u'],
      webSeeds: ['http://w/'],
      metainfoUrls: ['https://x/y'],
      peers: [
        { host: '192.0.2.1', port: 9 },
        { host: '2001:db8::1', port: 9 },
      ],
      selectedFiles: [],
    });
  });

  test.each([
    'tr=javascript:alert(1)',
    'tr=nonsense',
    'ws=file:///etc/passwd',
    'xs=urn:btpk:00',
    'x.pe=example.com:80',
    'x.pe=127.1:80',
    'x.pe=192.0.2.1:0',
    'x.pe=192.0.2.1:65536',
    'xl=-1',
    'xl=1e9',
    'xl=9007199254740993',
    'so=5-3',
    'so=0-10001',
    'so=a',
    'dn=%',
    'dn=',
    '=x',
    'unknown=1',
    'x',
  ])('%s is dropped, and refused where nothing may be dropped', (parameter) => {
    expect(parseMagnet(`${start}&${parameter}`)).toEqual(parseMagnet(start));
    expect(() => parseMagnet(`${start}&${parameter}`, { broken: 'refuse' })).toThrow(InvalidInput);
  });

  test('file selections stay ranges', () => {
    expect(parseMagnet(`${start}&so=0,2,4-8`).selectedFiles).toEqual([
      { first: 0, last: 0 },
      { first: 2, last: 2 },
      { first: 4, last: 8 },
    ]);
  });

  test('names lose control and direction characters and end at 255 code points', () => {
    expect(parseMagnet(`${start}&dn=a+b%00%E2%80%AEc`).name).toBe('a bc');
    expect(Array.from(parseMagnet(`${start}&dn=${encodeURIComponent('😀'.repeat(300))}`).name ?? '')).toHaveLength(255);
  });
});

test('a magnet without hash is not written', () => {
  expect(() => formatMagnet({ name: 'a' })).toThrow(InvalidInput);
});

describe('for any input', () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: length, maxLength: length });
  const port = fc.integer({ min: 1, max: 65_535 });
  const url = fc.webUrl({ validSchemes: ['http', 'https'], withQueryParameters: true });
  const peer = fc.record({ host: fc.constantFrom('192.0.2.7', '2001:db8::5'), port });
  const range = fc
    .nat(5_000)
    .chain((first) => fc.record({ first: fc.constant(first), last: fc.integer({ min: first, max: 10_000 }) }));
  const magnet = fc.record(
    {
      v1: hex(40).map(parseInfoHashV1),
      v2: hex(64).map(parseInfoHashV2),
      name: fc.stringMatching(/^[A-Za-z0-9äß &=%#+?.-]{0,30}[A-Za-z0-9]$/).map((name) => name.trim()),
      sizeBytes: fc.maxSafeNat(),
      trackers: fc.uniqueArray(url, { maxLength: 3 }),
      webSeeds: fc.uniqueArray(url, { maxLength: 3 }),
      metainfoUrls: fc.uniqueArray(url, { maxLength: 3 }),
      peers: fc.array(peer, { maxLength: 3 }),
      selectedFiles: fc.array(range, { maxLength: 3 }),
    },
    { requiredKeys: ['v1', 'trackers', 'webSeeds', 'metainfoUrls', 'peers', 'selectedFiles'] },
  );

  test('what we write we read', () => {
    fc.assert(
      fc.property(magnet, (value) => {
        const text = formatMagnet(value);
        fc.pre(text.length <= 8_192);
        expect(parseMagnet(text, { broken: 'refuse' })).toEqual(value);
      }),
      { numRuns: 1_000 },
    );
  });

  test('noise is a magnet or InvalidInput', () => {
    const piece = fc.oneof(
      fc.constantFrom(`xt=urn:btih:${v1}`, 'xt=', 'dn=', 'tr=', '%', '&', '=', 'so=', 'x.pe=', 'xl=', 'urn:btmh:1220'),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          parseMagnet(`magnet:?${pieces.join('')}`);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
