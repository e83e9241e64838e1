import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { bindNodeId, isBoundTo } from './node-id.ts';

/** The test vectors of BEP 42. */
const VECTORS = [
  { host: '124.31.75.21', id: '5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401' },
  { host: '21.75.31.124', id: '5a3ce9c14e7a08645677bbd1cfe7d8f956d53256' },
  { host: '65.23.51.170', id: 'a5d43220bc8f112a3d426c84764f8c2a1150e616' },
  { host: '84.124.73.14', id: '1b0321dd1bb1fe518101ceef99462b947a01ff41' },
  { host: '43.213.53.83', id: 'e56f6cbf5b7c4be0237986d5243b87aa6d51305a' },
];

describe('an id of BEP 42', () => {
  test.each(VECTORS)('$id is one of $host, and of no other', ({ host, id }) => {
    expect(VECTORS.filter((vector) => isBoundTo(vector.host, fromHex(id))).map((vector) => vector.host)).toEqual([
      host,
    ]);
    const bound = bindNodeId(fromHex(`ffffffff${id.slice(8)}`), host);
    expect(toHex(bound).slice(0, 5)).toBe(id.slice(0, 5));
    expect(isBoundTo(host, bound)).toBe(true);
  });

  test('leaves 21 bits to nobody, and the rest to the node', () => {
    const random = seededBytes('free', 20);
    const flips = Array.from({ length: 152 }, (_, bit) => {
      const id = bindNodeId(random, '20.1.2.3');
      id[bit >> 3] = (id[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      return isBoundTo('20.1.2.3', id);
    });
    expect(flips.indexOf(true)).toBe(21);
    expect(flips.slice(21)).not.toContain(false);
  });

  test('holds for all of an IPv6 /64, and for no other', () => {
    const id = bindNodeId(seededBytes('six', 20), '2a00:1:2:3::1');
    expect(isBoundTo('2a00:1:2:3:4:5:6:7', id)).toBe(true);
    expect(isBoundTo('2a00:1:2:4::1', id)).toBe(false);
  });

  test.each(['127.0.0.1', '10.1.2.3', '192.168.1.1', 'fd00::1'])('is any id at the inner address %s', (host) => {
    const random = seededBytes('inner', 20);
    expect(bindNodeId(random, host)).toEqual(random);
    expect(isBoundTo(host, random)).toBe(true);
  });
});
