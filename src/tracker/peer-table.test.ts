import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { encodeCompactPeer } from '../codec/compact-peers.ts';
import { PeerTable } from './peer-table.ts';

const peer = (host: string, port = 1): Uint8Array => encodeCompactPeer({ host, port });
const flags = (isSeeder = false, isLocal = false): { isSeeder: boolean; isLocal: boolean } => ({ isSeeder, isLocal });
const hexes = (bytes: Uint8Array, size = 6): string[] =>
  Array.from({ length: bytes.length / size }, (_, at) => toHex(bytes.subarray(at * size, (at + 1) * size)));

function filled(count: number): PeerTable {
  const table = new PeerTable('v4');
  for (let at = 0; at < count; at++)
    table.add(peer(`10.0.${at >> 8}.${at & 255}`), flags(at % 2 === 0, at % 3 === 0), 5);
  return table;
}
const all = { wanted: 1_000, start: 0, except: undefined, onlyLeechers: false, withLocal: true };

describe('neighbours', () => {
  test('of one IPv4 address are counted whatever their port', () => {
    const table = new PeerTable('v4');
    for (const port of [1, 2, 3]) table.add(peer('192.0.2.1', port), flags(), 5);
    table.add(peer('192.0.2.2'), flags(), 5);
    expect(table.find(peer('192.0.2.1', 4))).toEqual({ entry: undefined, sharing: 3 });
    expect(table.find(peer('192.0.2.3'))).toEqual({ entry: undefined, sharing: 0 });
  });

  test('of one IPv6 /48 are counted together', () => {
    const table = new PeerTable('v6');
    table.add(peer('2001:db8:1:2::3'), flags(), 5);
    expect(table.find(peer('2001:db8:1:ffff::9')).sharing).toBe(1);
    expect(table.find(peer('2001:db8:2:2::3')).sharing).toBe(0);
  });
});

describe('a choice of peers', () => {
  test('goes once round from its start and leaves the asker out', () => {
    const picked = hexes(filled(5).pick({ ...all, start: 3, except: 4 }));
    expect(picked).toEqual(['10.0.0.3', '10.0.0.0', '10.0.0.1', '10.0.0.2'].map((host) => toHex(peer(host))));
  });

  test('holds leechers only, or no local addresses, where asked', () => {
    expect(hexes(filled(6).pick({ ...all, onlyLeechers: true }))).toHaveLength(3);
    expect(hexes(filled(6).pick({ ...all, withLocal: false }))).toHaveLength(4);
    expect(hexes(filled(6).pick({ ...all, withLocal: false, onlyLeechers: true }))).toHaveLength(2);
  });

  test('costs at most eight looks for each peer wanted', () => {
    const table = new PeerTable('v4');
    for (let at = 0; at < 100; at++) table.add(peer(`10.0.0.${at}`), flags(at !== 99), 5);
    expect(hexes(table.pick({ ...all, wanted: 10, onlyLeechers: true }))).toHaveLength(0);
    expect(hexes(table.pick({ ...all, wanted: 10, start: 50, onlyLeechers: true }))).toHaveLength(1);
  });
});

test('whatever is added, changed, removed and expired, the table behaves like a map', () => {
  const host = fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 4 }));
  const step = fc.record({
    host,
    act: fc.constantFrom('set', 'set', 'set', 'remove', 'expire'),
    isSeeder: fc.boolean(),
    tick: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.constantFrom<'v4' | 'v6'>('v4', 'v6'), fc.array(step, { maxLength: 120 }), (family, steps) => {
      const table = new PeerTable(family);
      const model = new Map<string, { isSeeder: boolean; tick: number }>();
      for (const {
        host: [net, port],
        act,
        isSeeder,
        tick,
      } of steps) {
        const bytes = peer(family === 'v4' ? `192.0.2.${net}` : `2001:db8:${net}::1`, port);
        const { entry } = table.find(bytes);
        expect(entry !== undefined).toBe(model.has(toHex(bytes)));
        if (act === 'expire') {
          for (const [key, value] of model) if (value.tick <= tick) model.delete(key);
          const ticks = [...model.values()].map((value) => value.tick);
          expect(table.expire(tick)).toBe(ticks.length === 0 ? undefined : Math.min(...ticks));
        } else if (act === 'set') {
          if (entry === undefined) table.add(bytes, flags(isSeeder), tick);
          else table.update(entry, flags(isSeeder), tick);
          model.set(toHex(bytes), { isSeeder, tick });
        } else if (entry !== undefined) {
          table.remove(entry);
          model.delete(toHex(bytes));
        }
        expect(table.size).toBe(model.size);
      }
      expect(table.seeders).toBe([...model.values()].filter((value) => value.isSeeder).length);
      expect(new Set(hexes(table.pick(all), family === 'v4' ? 6 : 18))).toEqual(new Set(model.keys()));
    }),
    { numRuns: 1_000 },
  );
});
