import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseSwarmKey } from '../base/ids.ts';
import { encodeCompactPeers } from './compact-peers.ts';
import * as udp from './tracker-udp.ts';

const swarmKey = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const peerId = utf8('-SB0100-abcdefghijkl');
const connectionId = fromHex('0102030405060708');
const announce = {
  type: 'announce',
  transactionId: 0xdeadbeef,
  connectionId,
  swarmKey,
  peerId,
  port: 6881,
  uploadedBytes: 5,
  downloadedBytes: 2 ** 40,
  leftBytes: 7,
  event: 'started',
  numWant: 30,
  key: 0xcafebabe,
  urlData: '/announce?key=1',
} as const satisfies udp.UdpRequest;

describe('requests', () => {
  test('connect is the 16 bytes of BEP 15', () => {
    expect(toHex(udp.encodeUdpRequest({ type: 'connect', transactionId: 9 }))).toBe('00000417271019800000000000000009');
  });

  test('announce has each field where BEP 15 puts it, options behind (BEP 41)', () => {
    expect(toHex(udp.encodeUdpRequest(announce))).toBe(
      [
        ['0102030405060708', '00000001', 'deadbeef', swarmKey, toHex(peerId)],
        ['0000010000000000', '0000000000000007', '0000000000000005', '00000002'],
        ['00000000', 'cafebabe', '0000001e', '1ae1', '020f', toHex(utf8('/announce?key=1')), '00'],
      ]
        .flat()
        .join(''),
    );
  });

  test.each<udp.UdpRequest>([
    announce,
    { ...announce, urlData: 'x'.repeat(700), event: 'update' },
    { ...announce, urlData: '', event: 'paused', leftBytes: 0 },
    { type: 'connect', transactionId: 1 },
    { type: 'scrape', transactionId: 2, connectionId, swarmKeys: [swarmKey, swarmKey] },
  ])('round trip: %#', (request) => {
    expect(udp.decodeUdpRequest(udp.encodeUdpRequest(request))).toEqual(request);
  });

  test('what is left and how many are wanted may be unknown', () => {
    const { leftBytes: _, numWant: __, ...rest } = announce;
    expect(udp.decodeUdpRequest(udp.encodeUdpRequest(rest))).toEqual(rest);
  });

  test('options are read past padding and unknown ones, up to where they are cut short', () => {
    const plain = udp.encodeUdpRequest({ ...announce, urlData: '' });
    const urlData = (options: Uint8Array): unknown => udp.decodeUdpRequest(concatBytes([plain, options]));
    expect(urlData(fromHex(['01', '0901ff', '02022f61', '02022f62', '00', '02022f63'].join('')))).toMatchObject({
      urlData: '/a/b',
    });
    expect(urlData(fromHex('02ff2f'))).toMatchObject({ urlData: '' });
    expect(urlData(fromHex('02'))).toMatchObject({ urlData: '' });
  });

  test.each([
    ['an empty packet', utf8('')],
    ['15 bytes', new Uint8Array(15)],
    ['a connect without the protocol id', new Uint8Array(16)],
    ['an announce cut short', udp.encodeUdpRequest({ ...announce, urlData: '' }).subarray(0, 97)],
    ['an unknown event', udp.encodeUdpRequest(announce).fill(9, 80, 84)],
    ['an unknown action', udp.encodeUdpRequest(announce).fill(9, 8, 12)],
    ['a scrape of nothing', udp.encodeUdpRequest({ type: 'scrape', transactionId: 2, connectionId, swarmKeys: [] })],
    [
      'a scrape of 75',
      concatBytes([
        udp.encodeUdpRequest({ ...announce }).slice(0, 8),
        fromHex('0000000200000001'),
        new Uint8Array(1_500),
      ]),
    ],
  ])('%s is refused', (_, bytes) => {
    expect(() => udp.decodeUdpRequest(bytes)).toThrow(InvalidInput);
  });
});

describe('answers', () => {
  const peers = encodeCompactPeers([{ host: '192.0.2.1', port: 6881 }]).v4;

  test('round trip', () => {
    const connect = udp.encodeUdpAnswer({ type: 'connect', transactionId: 3, connectionId });
    expect(udp.decodeUdpConnectAnswer(connect)).toEqual({ kind: 'answer', connectionId });
    const counts = { intervalSec: 900, seeders: 4, leechers: 5 };
    const answer = udp.encodeUdpAnswer({ type: 'announce', transactionId: 3, ...counts, peers });
    expect(toHex(answer)).toBe(['00000001', '00000003', '00000384', '00000005', '00000004', 'c00002011ae1'].join(''));
    expect(udp.decodeUdpAnnounceAnswer(answer, 'v4')).toEqual({
      kind: 'answer',
      ...counts,
      peers: [{ host: '192.0.2.1', port: 6881 }],
    });
    const scrape = { seeders: 1, leechers: 2, completed: 3 };
    const scraped = udp.encodeUdpAnswer({ type: 'scrape', transactionId: 3, counts: [scrape, scrape] });
    expect(udp.decodeUdpScrapeAnswer(scraped)).toEqual({ kind: 'answer', counts: [scrape, scrape] });
    expect(udp.udpTransactionOf(scraped)).toBe(3);
  });

  test('an error answers any request with its reason', () => {
    const error = udp.encodeUdpAnswer({ type: 'error', transactionId: 3, reason: 'not here' });
    const failure = { kind: 'failure', reason: 'not here' };
    expect(udp.decodeUdpConnectAnswer(error)).toEqual(failure);
    expect(udp.decodeUdpAnnounceAnswer(error, 'v6')).toEqual(failure);
    expect(udp.decodeUdpScrapeAnswer(error)).toEqual(failure);
  });

  test('an answer to another question is refused', () => {
    const connect = udp.encodeUdpAnswer({ type: 'connect', transactionId: 3, connectionId });
    expect(() => udp.decodeUdpAnnounceAnswer(connect, 'v4')).toThrow(InvalidInput);
    expect(() => udp.decodeUdpConnectAnswer(connect.subarray(0, 15))).toThrow(InvalidInput);
    expect(udp.udpTransactionOf(connect.subarray(0, 7))).toBeUndefined();
  });
});

test('noise in either direction is read or refused with InvalidInput', () => {
  const action = fc.constantFrom(0, 1, 2, 3, 4);
  const bytes = fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), action, fc.uint8Array({ maxLength: 200 }));
  const packet = bytes.map(([id, number, rest]) => concatBytes([id, Uint8Array.of(0, 0, 0, number), rest]));
  const decoders = fc.constantFrom<(bytes: Uint8Array) => unknown>(
    udp.decodeUdpRequest,
    udp.decodeUdpConnectAnswer,
    (answer) => udp.decodeUdpAnnounceAnswer(answer.subarray(8), 'v4'),
    (answer) => udp.decodeUdpAnnounceAnswer(answer.subarray(8), 'v6'),
    (answer) => udp.decodeUdpScrapeAnswer(answer.subarray(8)),
  );
  fc.assert(
    fc.property(fc.oneof(packet, fc.uint8Array()), decoders, (input, decode) => {
      try {
        decode(input);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidInput);
      }
    }),
    { numRuns: 4_000 },
  );
});
