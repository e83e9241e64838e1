import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toLatin1, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseSwarmKey } from '../base/ids.ts';
import * as ws from './tracker-ws.ts';

const swarmKey = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const hash = toLatin1(fromHex(swarmKey));
const peerId = ws.latinIdOf(utf8('-WW0100-abcdefghijkl'));
const toPeerId = ws.latinIdOf(utf8('-SB0100-abcdefghijkl'));
const offerId = ws.latinIdOf(fromHex('ff'.repeat(20)));
const sdp = 'v=0\r\n';
const candidate = { candidate: 'candidate:1 1 UDP 1 192.0.2.1 9 typ host', sdpMid: '0' };

/** What stock clients and trackers put on the wire, and what we make of it. */
const STOCK_ANNOUNCE = {
  numwant: 5,
  uploaded: 1,
  downloaded: 2,
  left: null,
  event: 'started',
  action: 'announce',
  info_hash: hash,
  peer_id: peerId,
  offers: [{ offer: { type: 'offer', sdp }, offer_id: offerId }],
};
const parse = (json: unknown): ws.WsClientMessage => ws.decodeWsClientMessage(JSON.stringify(json));

describe('stock clients', () => {
  test('announce with offers', () => {
    expect(parse(STOCK_ANNOUNCE)).toEqual({
      type: 'announce',
      swarmKey,
      peerId,
      event: 'started',
      uploadedBytes: 1,
      downloadedBytes: 2,
      offers: [{ offerId, sdp }],
      trickle: false,
    });
  });

  test('answer', () => {
    const answer = { type: 'answer', sdp };
    const json = {
      action: 'announce',
      info_hash: hash,
      peer_id: peerId,
      to_peer_id: toPeerId,
      answer,
      offer_id: offerId,
    };
    expect(parse(json)).toEqual({ type: 'answer', swarmKey, peerId, toPeerId, offerId, sdp });
  });

  test('scrape one torrent or several', () => {
    expect(parse({ action: 'scrape', info_hash: hash })).toEqual({ type: 'scrape', swarmKeys: [swarmKey] });
    expect(parse({ action: 'scrape', info_hash: [hash, hash] })).toMatchObject({ swarmKeys: [swarmKey, swarmKey] });
  });

  test('get exactly the fields they know', () => {
    const json = (message: ws.WsServerMessage): unknown => JSON.parse(ws.encodeWsServerMessage(message));
    expect(json({ type: 'announced', swarmKey, intervalSec: 120, seeders: 1, leechers: 2 })).toEqual({
      action: 'announce',
      info_hash: hash,
      interval: 120,
      complete: 1,
      incomplete: 2,
    });
    const signal = { swarmKey, peerId, offerId, sdp, trickle: false };
    const relayed = { action: 'announce', info_hash: hash, peer_id: peerId, offer_id: offerId };
    expect(json({ type: 'offer', ...signal })).toEqual({ ...relayed, offer: { type: 'offer', sdp } });
    expect(json({ type: 'answer', ...signal })).toEqual({ ...relayed, answer: { type: 'answer', sdp } });
    const files = new Map([[swarmKey, { seeders: 1, leechers: 2, completed: 3 }]]);
    expect(json({ type: 'scraped', files })).toEqual({
      action: 'scrape',
      files: { [hash]: { complete: 1, incomplete: 2, downloaded: 3 } },
    });
  });

  test('always find an action in a failure, because they reconnect without one', () => {
    const failed = JSON.parse(ws.encodeWsServerMessage({ type: 'failed', reason: 'no' })) as unknown;
    expect(failed).toEqual({ action: 'announce', 'failure reason': 'no' });
  });
});

describe('what is refused with a typed error', () => {
  test.each<[string, unknown]>([
    ['a list', []],
    ['null', null],
    ['an unknown action', { ...STOCK_ANNOUNCE, action: 'connect' }],
    ['no action', { ...STOCK_ANNOUNCE, action: undefined }],
    ['a hash of 19 characters', { ...STOCK_ANNOUNCE, info_hash: hash.slice(1) }],
    ['a hash beyond latin-1', { ...STOCK_ANNOUNCE, info_hash: `€${hash.slice(1)}` }],
    ['a hash that is a number', { ...STOCK_ANNOUNCE, info_hash: 7 }],
    ['no peer id', { ...STOCK_ANNOUNCE, peer_id: undefined }],
    ['an unknown event', { ...STOCK_ANNOUNCE, event: 'exploded' }],
    ['offers that are no list', { ...STOCK_ANNOUNCE, offers: {} }],
    ['an offer that is null', { ...STOCK_ANNOUNCE, offers: [null] }],
    ['an offer without id', { ...STOCK_ANNOUNCE, offers: [{ offer: { type: 'offer', sdp } }] }],
    [
      'an offer of another type',
      { ...STOCK_ANNOUNCE, offers: [{ offer_id: offerId, offer: { type: 'rollback', sdp } }] },
    ],
    [
      'a description above 16 KiB',
      { ...STOCK_ANNOUNCE, offers: [{ offer_id: offerId, offer: { type: 'offer', sdp: 'x'.repeat(16_385) } }] },
    ],
    ['an answer to nobody', { ...STOCK_ANNOUNCE, answer: { type: 'answer', sdp }, offer_id: offerId }],
    ['a candidate without offer', { ...STOCK_ANNOUNCE, candidate }],
    ['a candidate above 1 KiB', { ...STOCK_ANNOUNCE, offer_id: offerId, candidate: { candidate: 'x'.repeat(1_025) } }],
    ['a scrape of everything', { action: 'scrape' }],
    ['a scrape of 75', { action: 'scrape', info_hash: Array(75).fill(hash) }],
    ['more than 64 KiB', { ...STOCK_ANNOUNCE, padding: 'x'.repeat(65_536) }],
  ])('%s', (_, json) => {
    expect(() => parse(json)).toThrow(InvalidInput);
  });

  test.each(['', '{', '[[[['.repeat(10_000), '\u0000'])('text that is not JSON', (text) => {
    expect(() => ws.decodeWsClientMessage(text)).toThrow(InvalidInput);
    expect(() => ws.decodeWsServerMessage(text)).toThrow(InvalidInput);
  });
});

test('only the first ten offers are taken', () => {
  expect(parse({ ...STOCK_ANNOUNCE, offers: Array(11).fill(STOCK_ANNOUNCE.offers[0]) })).toHaveProperty(
    'offers.length',
    10,
  );
});

test('what a tracker of the future says is ignored', () => {
  expect(ws.decodeWsServerMessage('{"action":"dance"}')).toBeUndefined();
});

const latin = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(ws.latinIdOf);
const key = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => parseSwarmKey(Buffer.from(bytes).toString('hex')));
const signal = { swarmKey: key, peerId: latin, offerId: latin };
const type = <Name extends string>(name: Name): { readonly type: fc.Arbitrary<Name> } => ({ type: fc.constant(name) });
const anyCandidate = fc.record({ candidate: fc.string(), sdpMid: fc.string({ maxLength: 64 }) });
const counts = { seeders: fc.nat(), leechers: fc.nat() };

test('every client message round trips', () => {
  const announce = fc.record(
    {
      ...type('announce'),
      swarmKey: key,
      peerId: latin,
      uploadedBytes: fc.maxSafeNat(),
      downloadedBytes: fc.nat(),
      leftBytes: fc.nat(),
      event: fc.constantFrom('update', 'started', 'completed', 'stopped', 'paused'),
      offers: fc.array(fc.record({ offerId: latin, sdp: fc.string() }), { maxLength: 10 }),
      trickle: fc.boolean(),
    },
    { requiredKeys: ['type', 'swarmKey', 'peerId', 'event', 'uploadedBytes', 'downloadedBytes', 'offers', 'trickle'] },
  );
  const answer = fc.record({ ...type('answer'), ...signal, toPeerId: latin, sdp: fc.string() });
  const anyIce = fc.record(
    { ...type('candidate'), ...signal, toPeerId: latin, candidate: anyCandidate },
    { requiredKeys: ['type', 'swarmKey', 'peerId', 'offerId', 'candidate'] },
  );
  const scrape = fc.record({ ...type('scrape'), swarmKeys: fc.array(key, { minLength: 1, maxLength: 74 }) });
  fc.assert(
    fc.property(fc.oneof(announce, answer, anyIce, scrape), (message) => {
      expect(ws.decodeWsClientMessage(ws.encodeWsClientMessage(message as ws.WsClientMessage))).toEqual(message);
    }),
    { numRuns: 1_000 },
  );
});

test('every server message round trips', () => {
  const announced = fc.record({ ...type('announced'), swarmKey: key, intervalSec: fc.nat(), ...counts });
  const description = { ...signal, sdp: fc.string(), trickle: fc.boolean() };
  const file = fc.tuple(key, fc.record({ ...counts, completed: fc.nat() }));
  fc.assert(
    fc.property(
      fc.oneof(
        announced,
        fc.record({ ...type('offer'), ...description }),
        fc.record({ ...type('answer'), ...description }),
        fc.record({ ...type('candidate'), ...signal, candidate: anyCandidate }),
        fc.record({ ...type('scraped'), files: fc.array(file, { maxLength: 5 }).map((files) => new Map(files)) }),
        fc.record({ ...type('failed'), reason: fc.string(), swarmKey: key }, { requiredKeys: ['type', 'reason'] }),
      ),
      (message) => {
        expect(ws.decodeWsServerMessage(ws.encodeWsServerMessage(message as ws.WsServerMessage))).toEqual(message);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('noise from either side is read or refused with InvalidInput', () => {
  const field = fc.constantFrom(
    ...(['action', 'info_hash', 'peer_id', 'to_peer_id', 'offers', 'offer', 'answer'] as const),
    ...(['candidate', 'offer_id', 'event', 'left', 'files', 'failure reason', 'interval'] as const),
  );
  const value = fc.oneof(
    fc.constantFrom<unknown>('announce', 'scrape', hash, peerId, [hash], { [hash]: {} }),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.oneof(fc.dictionary(field, value), fc.jsonValue()), (json) => {
      for (const decode of [ws.decodeWsClientMessage, ws.decodeWsServerMessage])
        try {
          decode(JSON.stringify(json));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
        }
    }),
    { numRuns: 3_000 },
  );
});
