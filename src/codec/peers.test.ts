import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp } from '../base/address.ts';
import { fromHex, fromLatin1, toLatin1 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import * as compact from './compact-peers.ts';
import { createPeerId, peerClientName } from './peer-id.ts';

describe('compact peers', () => {
  test('are 6 bytes for IPv4 (BEP 23) and 18 for IPv6 (BEP 7)', () => {
    const peers = [
      { host: '192.0.2.1', port: 6881 },
      { host: '2001:db8::1', port: 443 },
    ];
    const { v4, v6 } = compact.encodeCompactPeers(peers);
    expect(v4).toEqual(fromHex('c00002011ae1'));
    expect(v6).toEqual(fromHex('20010db800000000000000000000000101bb'));
    expect([...compact.decodeCompactPeers(v4, 'v4'), ...compact.decodeCompactPeers(v6, 'v6')]).toEqual(peers);
  });

  test.each([
    ['a name', { host: 'example.com', port: 1 }],
    ['a port above 65,535', { host: '192.0.2.1', port: 65_536 }],
    ['half a port', { host: '192.0.2.1', port: 1.5 }],
  ])('are not made of %s', (_, peer) => {
    expect(() => compact.encodeCompactPeer(peer)).toThrow(InvalidInput);
  });

  test('round trip, or are refused when cut short', () => {
    const ip = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }));
    const peer = fc.record({ host: ip.map(formatIp), port: fc.integer({ min: 0, max: 65_535 }) });
    fc.assert(
      fc.property(fc.array(peer), fc.uint8Array(), (peers, noise) => {
        const { v4, v6 } = compact.encodeCompactPeers(peers);
        const decoded = [...compact.decodeCompactPeers(v4, 'v4'), ...compact.decodeCompactPeers(v6, 'v6')];
        expect(decoded).toHaveLength(peers.length);
        const isWhole = noise.length % 6 === 0;
        if (isWhole) expect(compact.decodeCompactPeers(noise, 'v4')).toHaveLength(noise.length / 6);
        else expect(() => compact.decodeCompactPeers(noise, 'v4')).toThrow(InvalidInput);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('peer ids', () => {
  test('ours are 20 printable bytes, different each time', () => {
    const ids = Array.from({ length: 100 }, () => toLatin1(createPeerId()));
    for (const id of ids) expect(id).toMatch(/^-SB0100-[0-9A-Za-z.-]{12}$/);
    expect(new Set(ids).size).toBe(100);
  });

  test.each([
    ['-SB0100-xxxxxxxxxxxx', 'Seedbed 0.1.0.0'],
    ['-LT20A0-xxxxxxxxxxxx', 'libtorrent 2.0.10.0'],
    ['-TR3000-xxxxxxxxxxxx', 'Transmission 3.0.0.0'],
    ['-qB4500-xxxxxxxxxxxx', 'qBittorrent 4.5.0.0'],
    ['-WW0302-xxxxxxxxxxxx', 'WebTorrent 0.3.0.2'],
    ['-zz1234-xxxxxxxxxxxx', 'zz 1.2.3.4'],
    ['A2-1-36-0-xxxxxxxxxx', 'aria2 1.36'],
    ['M7-10-5-xxxxxxxxxxxx', 'BitTorrent 7.10.5'],
    ['\u0000\u0001\u0002', 'unknown client'],
  ])('%j is %s', (id, name) => {
    expect(peerClientName(fromLatin1(id))).toBe(name);
  });
});
