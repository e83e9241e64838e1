import { expect, test } from 'vitest';
import { AddressTraffic } from './address-traffic.ts';

const LIMITS = { uploadBytesPerSecondPerAddress: 400_000, downloadBytesPerSecondPerAddress: 800_000 };
/** A quarter of a second's worth. */
const BURST = { upload: 100_000, download: 200_000 };

test.each([
  { other: '192.0.2.1', base: '192.0.2.1', together: true },
  { other: '192.0.2.2', base: '192.0.2.1', together: false },
  { other: '::ffff:192.0.2.1', base: '192.0.2.1', together: true },
  { other: '2001:db8:0:1:a:b:c:d', base: '2001:db8:0:1::1', together: true },
  { other: '2001:db8:0:2::1', base: '2001:db8:0:1::1', together: false },
  { other: undefined, base: undefined, together: false },
])('a peer at $base and one at $other share their limits: $together', ({ base, other, together }) => {
  const traffic = new AddressTraffic(LIMITS);
  const [first, second] = [traffic.join(base, 0), traffic.join(other, 0)];
  expect([first.upload.available(0), first.download.available(0)]).toEqual([BURST.upload, BURST.download]);
  first.upload.take(BURST.upload);
  first.download.take(BURST.download);
  expect([second.upload.available(0), second.download.available(0)]).toEqual(
    together ? [0, 0] : [BURST.upload, BURST.download],
  );
});

test.each(['127.0.0.1', '::1'])('the loopback address %s is not limited', (host) => {
  const traffic = new AddressTraffic(LIMITS);
  const share = traffic.join(host, 0);
  share.upload.take(1e12);
  expect(share.upload.available(0)).toBe(Number.POSITIVE_INFINITY);
});

test('who hangs up and comes back has no fresh allowance, only what time gives', () => {
  const traffic = new AddressTraffic(LIMITS);
  const first = traffic.join('192.0.2.1', 0);
  first.upload.take(BURST.upload);
  traffic.leave(first);
  const again = traffic.join('192.0.2.1', 100);
  expect(again.upload.available(100)).toBeCloseTo(40_000);
});

test('addresses that left are remembered up to a number, the latest ones; those that are here always', () => {
  const traffic = new AddressTraffic(LIMITS);
  const host = (at: number): string => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
  const stays = traffic.join('192.0.2.1', 0);
  stays.upload.take(BURST.upload);
  for (let at = 0; at < 5_000; at++) {
    const share = traffic.join(host(at), 0);
    share.upload.take(BURST.upload);
    traffic.leave(share);
  }
  expect(traffic.size).toBe(4_097);
  expect(traffic.join(host(4_999), 0).upload.available(0)).toBe(0);
  expect(traffic.join(host(0), 0).upload.available(0)).toBe(BURST.upload);
  expect(traffic.join('192.0.2.1', 0).upload.available(0)).toBe(0);
});

test('nothing is kept of a hidden address, nor of any address while nothing is limited', () => {
  const limited = new AddressTraffic(LIMITS);
  limited.leave(limited.join(undefined, 0));
  expect(limited.size).toBe(0);
  limited.leave(limited.join('192.0.2.1', 0));
  expect(limited.size).toBe(1);
  const none = Number.POSITIVE_INFINITY;
  limited.setLimits({ uploadBytesPerSecondPerAddress: none, downloadBytesPerSecondPerAddress: none }, 0);
  limited.leave(limited.join('192.0.2.2', 0));
  expect(limited.size).toBe(0);
});

test('a limit set later holds for those who are here', () => {
  const none = Number.POSITIVE_INFINITY;
  const traffic = new AddressTraffic({ uploadBytesPerSecondPerAddress: none, downloadBytesPerSecondPerAddress: none });
  const shares = [traffic.join('192.0.2.1', 0), traffic.join(undefined, 0)];
  traffic.setLimits({ uploadBytesPerSecondPerAddress: 400_000 }, 1_000);
  expect(shares.map(({ upload }) => upload.available(1_000))).toEqual([BURST.upload, BURST.upload]);
  expect(shares.map(({ download }) => download.available(1_000))).toEqual([none, none]);
});
