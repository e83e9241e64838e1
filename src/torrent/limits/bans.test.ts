import { expect, test } from 'vitest';
import { HOUR_MS } from '../../base/units.ts';
import { BanList } from './bans.ts';

test('a ban holds for the host, whatever peer id it takes next, and ends after an hour', () => {
  const bans = new BanList();
  bans.ban({ host: '192.0.2.1', peerIdHex: 'aa' }, 0);
  expect(bans.isBanned({ host: '192.0.2.1', peerIdHex: 'bb' }, HOUR_MS - 1)).toBe(true);
  expect(bans.isHostBanned('192.0.2.1', HOUR_MS - 1)).toBe(true);
  expect(bans.isBanned({ host: '192.0.2.2', peerIdHex: 'aa' }, 0)).toBe(false);
  expect(bans.isBanned({ host: '192.0.2.1', peerIdHex: 'aa' }, HOUR_MS)).toBe(false);
});

test.each([undefined, '127.0.0.1', '::1'])('behind the shared or hidden host %s only the peer id is banned', (host) => {
  const bans = new BanList();
  bans.ban({ host, peerIdHex: 'aa' }, 0);
  expect(bans.isBanned({ host, peerIdHex: 'aa' }, 1)).toBe(true);
  expect(bans.isBanned({ host, peerIdHex: 'bb' }, 1)).toBe(false);
  if (host !== undefined) expect(bans.isHostBanned(host, 1)).toBe(false);
});

test('the list is bounded: the oldest ban goes first', () => {
  const bans = new BanList();
  for (let at = 0; at < 5_000; at++) bans.ban({ host: `h${at}`, peerIdHex: '' }, 0);
  expect(bans.size).toBe(4_096);
  expect(bans.isHostBanned('h0', 1)).toBe(false);
  expect(bans.isHostBanned('h4999', 1)).toBe(true);
});

test('the fifth protocol error within an hour is a ban; spread over more time they are forgiven', () => {
  const bans = new BanList();
  const peer = { host: '192.0.2.1', peerIdHex: 'aa' };
  expect([0, 1, 2, 3].map((nowMs) => bans.strike(peer, nowMs))).toEqual([false, false, false, false]);
  expect(bans.isBanned(peer, 4)).toBe(false);
  expect(bans.strike(peer, 5)).toBe(true);
  expect(bans.isBanned(peer, 6)).toBe(true);
  const clumsy = { host: '192.0.2.2', peerIdHex: 'bb' };
  for (let at = 0; at < 20; at++) expect(bans.strike(clumsy, (at * HOUR_MS) / 3)).toBe(false);
});
