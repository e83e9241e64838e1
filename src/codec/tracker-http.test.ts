import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toLatin1, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseSwarmKey } from '../base/ids.ts';
import { encodeBencode } from './bencode.ts';
import { encodeCompactPeers } from './compact-peers.ts';
import * as http from './tracker-http.ts';

const swarmKey = parseSwarmKey('124e8a26b3cf7d3f9a0b2e1c0041425aff7e2d5f');
const peerId = utf8('-SB0100-abcdefghijk~');
const HASH = '%12N%8A%26%B3%CF%7D%3F%9A%0B.%1C%00ABZ%FF~-_';
const MINIMAL = `info_hash=${HASH}&peer_id=-SB0100-abcdefghijk~&port=6881`;
const announce: http.HttpAnnounce = {
  swarmKey,
  peerId,
  port: 6881,
  uploadedBytes: 1,
  downloadedBytes: 2,
  leftBytes: 3,
  event: 'started',
  numWant: 50,
  compact: true,
  noPeerId: true,
};

describe('an announce', () => {
  test('is read from raw bytes in any mix of escapes', () => {
    expect(http.parseHttpAnnounce(`${MINIMAL}&left=0&event=completed&compact=0&numwant=5&ip=1.2.3.4`)).toEqual({
      swarmKey,
      peerId,
      port: 6881,
      uploadedBytes: 0,
      downloadedBytes: 0,
      leftBytes: 0,
      event: 'completed',
      numWant: 5,
      compact: false,
      noPeerId: false,
    });
  });

  test.each(['', '&left=-1', '&left=x', '&left=99999999999999999'])('%j leaves what is left unknown', (suffix) => {
    expect(http.parseHttpAnnounce(MINIMAL + suffix)).not.toHaveProperty('leftBytes');
  });

  test.each([
    ['nothing', ''],
    ['a short hash', MINIMAL.replace('%12', '')],
    ['a hash in hex', MINIMAL.replace(HASH, swarmKey)],
    ['a broken escape', MINIMAL.replace('%12', '%1g')],
    ['an escape cut short', `${MINIMAL}&peer_id=%4`],
    ['a character that is no byte', MINIMAL.replace('%12', '€')],
    ['a short peer id', MINIMAL.replace('~', '')],
    ['no port', MINIMAL.replace('&port=6881', '')],
    ['port 0', MINIMAL.replace('6881', '0')],
    ['port 65536', MINIMAL.replace('6881', '65536')],
    ['an unknown event', `${MINIMAL}&event=exploded`],
    ['more than 8 KiB', `${MINIMAL}&x=${'y'.repeat(8_192)}`],
  ])('with %s is refused', (_, query) => {
    expect(() => http.parseHttpAnnounce(MINIMAL)).not.toThrow();
    expect(() => http.parseHttpAnnounce(query)).toThrow(InvalidInput);
  });

  test('is written behind what the tracker’s URL already says', () => {
    const url = http.formatHttpAnnounce('http://t.example/announce?passkey=1#x', announce);
    expect(url).toBe(
      `http://t.example/announce?passkey=1&info_hash=${HASH}&peer_id=-SB0100-abcdefghijk~&port=6881` +
        '&uploaded=1&downloaded=2&left=3&event=started&numwant=50&compact=1&no_peer_id=1',
    );
    expect(http.parseHttpAnnounce(new URL(url).search.slice(1))).toEqual(announce);
    expect(() => http.formatHttpAnnounce('nonsense', announce)).toThrow(InvalidInput);
  });
});

describe('a scrape', () => {
  test('names up to 74 torrents', () => {
    expect(http.parseHttpScrape(`info_hash=${HASH}&info_hash=${HASH}`)).toEqual([swarmKey, swarmKey]);
    expect(() => http.parseHttpScrape('')).toThrow(InvalidInput);
    expect(() => http.parseHttpScrape(Array(75).fill(`info_hash=${HASH}`).join('&'))).toThrow(InvalidInput);
  });

  test.each([
    ['http://t/announce', `http://t/scrape?info_hash=${HASH}`],
    ['http://t/x/announce.php?a=1', `http://t/x/scrape.php?a=1&info_hash=${HASH}`],
    ['http://t/a', undefined],
    ['http://t/announce/x', undefined],
  ])('of %s goes to %s (BEP 48)', (trackerUrl, scrapeUrl) => {
    expect(http.formatHttpScrape(trackerUrl, [swarmKey])).toBe(scrapeUrl);
  });

  test('answers round trip', () => {
    const files = new Map([[swarmKey, { seeders: 3, leechers: 4, completed: 5 }]]);
    expect(http.decodeHttpScrape(http.encodeHttpScrape(files))).toEqual(files);
    expect(http.decodeHttpScrape(http.encodeHttpFailure('no'))).toEqual({ kind: 'failure', reason: 'no' });
  });
});

describe('an answer', () => {
  const head = { intervalSec: 1_800, minIntervalSec: 60, seeders: 3, leechers: 4 };
  const peers = [
    { host: '192.0.2.1', port: 6881 },
    { host: '2001:db8::1', port: 443 },
  ];

  test('in compact form carries both families', () => {
    const { v4, v6 } = encodeCompactPeers(peers);
    expect(http.decodeHttpAnswer(http.encodeCompactAnswer(head, v4, v6))).toEqual({ kind: 'answer', ...head, peers });
    expect(toLatin1(http.encodeCompactAnswer({ intervalSec: 1, seeders: 0, leechers: 0 }, v4, utf8('')))).toBe(
      'd8:completei0e10:incompletei0e8:intervali1e5:peers6:À\u0000\u0002\u0001\u001aáe',
    );
  });

  test('in dictionary form carries peer ids', () => {
    const bytes = http.encodeDictionaryAnswer(
      head,
      peers.map((address) => ({ address, peerId })),
    );
    expect(toLatin1(bytes)).toContain('d2:ip9:192.0.2.17:peer id20:-SB0100-abcdefghijk~4:porti6881ee');
    expect(http.decodeHttpAnswer(bytes)).toEqual({ kind: 'answer', ...head, peers });
  });

  test('that fails gives its reason and when to come back (BEP 31)', () => {
    expect(http.decodeHttpAnswer(http.encodeHttpFailure('not here'))).toEqual({ kind: 'failure', reason: 'not here' });
    const retry = (value: string | number): unknown =>
      http.decodeHttpAnswer(encodeBencode({ 'failure reason': 'x', 'retry in': value }));
    expect(retry('5')).toMatchObject({ retryInMinutes: 5 });
    expect(retry(5)).toMatchObject({ retryInMinutes: 5 });
    expect(retry('never')).toMatchObject({ retryInMinutes: 'never' });
    expect(retry('soon')).not.toHaveProperty('retryInMinutes');
  });

  test('with odd peers keeps the good ones', () => {
    const odd = [1, {}, { ip: 'example.com', port: 1 }, { ip: '192.0.2.1', port: 0 }, { ip: '192.0.2.2', port: 9 }];
    expect(http.decodeHttpAnswer(encodeBencode({ interval: 1, peers: odd }))).toMatchObject({
      peers: [{ host: '192.0.2.2', port: 9 }],
    });
  });
});

describe('for any input', () => {
  test('bytes survive percent escapes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect([...http.percentDecode(http.percentEncode(bytes))]).toEqual([...bytes]);
      }),
      { numRuns: 1_000 },
    );
  });

  test('noise is read or refused with InvalidInput', () => {
    const part = fc.constantFrom(`info_hash=${HASH}`, 'peer_id=', 'port=', '&', '=', '%', '%41', '6881', 'event=');
    const query = fc.oneof(
      fc.array(part).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    );
    const fields = fc.dictionary(
      fc.constantFrom('peers', 'peers6', 'interval', 'complete', 'failure reason', 'retry in', 'files', 'x'),
      fc.oneof(fc.integer(), fc.uint8Array(), fc.constant([]), fc.constant([{}]), fc.constant({ x: {} })),
      { noNullPrototype: true },
    );
    const attempt = (run: () => unknown): void => {
      try {
        run();
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidInput);
      }
    };
    fc.assert(
      fc.property(query, fields, (text, dict) => {
        attempt(() => http.parseHttpAnnounce(text));
        attempt(() => http.parseHttpScrape(text));
        attempt(() => http.decodeHttpAnswer(encodeBencode(dict)));
        attempt(() => http.decodeHttpScrape(encodeBencode(dict)));
      }),
      { numRuns: 2_000 },
    );
  });
});
