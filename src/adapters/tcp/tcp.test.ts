import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { peerSocketContract, type SocketPair, SocketWitness } from '../../../test/contracts/peer-socket.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Cancelled, InvalidInput, TimedOut, Unavailable } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { MIB } from '../../base/units.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import { TcpDialer } from './dialer.ts';
import { ConnectionLimits, type ConnectionLimitsOptions } from './limits.ts';
import { TcpListener } from './listener.ts';

interface Listening {
  readonly listener: TcpListener;
  /** Resolves with the next accepted socket. */
  readonly next: () => Promise<PeerSocket>;
}

const listeners: TcpListener[] = [];
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
});

async function listening(limits: Partial<ConnectionLimitsOptions> = {}, host = '127.0.0.1'): Promise<Listening> {
  const accepted: PeerSocket[] = [];
  const waiting: ((socket: PeerSocket) => void)[] = [];
  const listener = await TcpListener.open({
    host,
    port: 0,
    limits: new ConnectionLimits(limits),
    log: silentLog,
    accept: (socket) => {
      const wake = waiting.shift();
      if (wake === undefined) accepted.push(socket);
      else wake(socket);
    },
  });
  listeners.push(listener);
  return {
    listener,
    next: () => {
      const socket = accepted.shift();
      return socket === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(socket);
    },
  };
}

const dialer = (options: Partial<ConnectionLimitsOptions> = {}): TcpDialer =>
  new TcpDialer({ limits: new ConnectionLimits(options) });
const never = new AbortController().signal;

async function pairOf(host: string, swapped: boolean): Promise<SocketPair> {
  const { listener, next } = await listening({}, host);
  const [dialled, accepted] = await Promise.all([dialer().dial(listener.address, never), next()]);
  return {
    near: swapped ? accepted : dialled,
    far: swapped ? dialled : accepted,
    stop: async () => {
      dialled.close();
      accepted.close();
      await listener.close();
    },
  };
}

peerSocketContract('tcp, dialled end', () => pairOf('127.0.0.1', false));
peerSocketContract('tcp, accepted end', () => pairOf('127.0.0.1', true));
const hasIPv6 = await new Promise<boolean>((resolve) => {
  const probe = net.createServer().on('error', () => resolve(false));
  probe.listen(0, '::1', () => probe.close(() => resolve(true)));
});
if (hasIPv6) peerSocketContract('tcp over IPv6', () => pairOf('::1', false));

test('listening to a paused socket does not resume it: the sender is held back', async () => {
  const pair = await pairOf('127.0.0.1', false);
  const { near, far } = pair;
  const atNear = new SocketWitness(near);
  far.pause();
  const atFar = new SocketWitness(far);
  const sentBytes = 32 * MIB; // far more than both ends' kernels keep
  near.write(new Uint8Array(sentBytes));
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(atNear.drains).toBe(0);
  expect(atFar.receivedBytes).toBe(0);
  far.resume();
  await atFar.until(() => atFar.receivedBytes === sentBytes);
  await pair.stop();
});

describe('the TCP dialer', () => {
  test('both ends know the other by IP literal and port', async () => {
    const { listener, next } = await listening();
    const [dialled, accepted] = await Promise.all([dialer().dial(listener.address, never), next()]);
    expect(dialled.remote).toEqual(listener.address);
    expect(accepted.remote?.host).toBe('127.0.0.1');
  });

  test('an IPv4 peer on a dual-stack port is known by its IPv4 address', async () => {
    const { listener, next } = await listening({}, hasIPv6 ? '::' : '0.0.0.0');
    const address = { host: '127.0.0.1', port: listener.address.port };
    const [, accepted] = await Promise.all([dialer().dial(address, never), next()]);
    expect(accepted.remote?.host).toBe('127.0.0.1');
  });

  test.each([
    [{ host: 'peer.example', port: 6881 }, InvalidInput],
    [{ host: '127.0.0.1', port: 0 }, InvalidInput],
    [{ host: '127.0.0.1', port: 65_536 }, InvalidInput],
  ])('refuses the address %o without a packet', async (address, kind) => {
    await expect(dialer().dial(address, never)).rejects.toBeInstanceOf(kind);
  });

  test('a closed port is Unavailable and names the system error', async () => {
    const { listener } = await listening();
    const { address } = listener;
    await listener.close();
    const refusal = await dialer()
      .dial(address, never)
      .catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Unavailable);
    expect(refusal).toMatchObject({ facts: { reason: 'ECONNREFUSED' } });
  });

  test('gives up at its deadline, by the clock it was given', async () => {
    const { listener } = await listening();
    const clock = new FakeClock();
    const dialling = new TcpDialer({ limits: new ConnectionLimits(), clock }).dial(listener.address, never);
    await Promise.resolve(); // the half-open slot
    clock.advance(10_000);
    await expect(dialling).rejects.toBeInstanceOf(TimedOut);
  });

  test('an abort ends a dial, before it starts or under way', async () => {
    const { listener } = await listening();
    await expect(dialer().dial(listener.address, AbortSignal.abort())).rejects.toBeInstanceOf(Cancelled);
    const controller = new AbortController();
    const dialling = dialer().dial(listener.address, controller.signal);
    controller.abort();
    await expect(dialling).rejects.toBeInstanceOf(Cancelled);
  });
});

describe('connection limits', () => {
  test('a peer above the cap is closed at once, and admitted when a slot is free', async () => {
    const { listener, next } = await listening({ maxConnections: 1 });
    const [first, kept] = await Promise.all([dialer().dial(listener.address, never), next()]);
    const second = await dialer().dial(listener.address, never);
    const refused = new SocketWitness(second);
    await refused.until(() => refused.closings.length > 0);

    const gone = new SocketWitness(kept);
    first.close();
    await gone.until(() => gone.closings.length > 0);
    const [third, admitted] = await Promise.all([dialer().dial(listener.address, never), next()]);
    const echo = new SocketWitness(third);
    admitted.write(Uint8Array.of(7));
    await echo.until(() => echo.receivedBytes === 1);
  });

  test('a dial above the global cap is refused without a packet', async () => {
    const { listener, next } = await listening();
    const capped = dialer({ maxConnections: 1 });
    await Promise.all([capped.dial(listener.address, never), next()]);
    await expect(capped.dial(listener.address, never)).rejects.toBeInstanceOf(Unavailable);
  });

  test('a failed dial gives its slots back', async () => {
    const { listener } = await listening();
    const { address } = listener;
    await listener.close();
    const limits = new ConnectionLimits({ maxConnections: 1, maxHalfOpen: 1 });
    const capped = new TcpDialer({ limits });
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(capped.dial(address, never)).rejects.toMatchObject({ facts: { reason: 'ECONNREFUSED' } });
    await expect.poll(() => limits.connections).toBe(0);
  });

  test('dials beyond the half-open cap wait their turn, and a bounded number of them', async () => {
    const limits = new ConnectionLimits({ maxHalfOpen: 1, maxWaiting: 2 });
    const order: string[] = [];
    const first = await limits.halfOpenSlot(never);
    const second = limits.halfOpenSlot(never).then((release) => {
      order.push('second');
      return release;
    });
    const controller = new AbortController();
    const gaveUp = limits.halfOpenSlot(controller.signal);
    await expect(limits.halfOpenSlot(never)).rejects.toBeInstanceOf(Unavailable);
    controller.abort();
    await expect(gaveUp).rejects.toBeInstanceOf(Cancelled);
    const third = limits.halfOpenSlot(never).then(() => order.push('third'));
    expect(order).toEqual([]);
    first();
    first(); // harmless
    const releaseSecond = await second;
    expect(order).toEqual(['second']);
    releaseSecond();
    await third;
    expect(order).toEqual(['second', 'third']);
  });

  test.each([
    ['203.0.113.7', '203.0.113.7', true],
    ['203.0.113.7', '203.0.113.8', false],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['::ffff:203.0.113.7', '203.0.113.7', true],
    ['fe80::1%eth0', 'fe80::2%eth1', true],
  ])('%s and %s share one per-address cap: %s', (one, other, shared) => {
    const limits = new ConnectionLimits({ maxPerAddress: 1 });
    const release = limits.admit(one);
    expect(release).toBeDefined();
    expect(limits.admit(other) === undefined).toBe(shared);
    release?.();
    expect(limits.admit(one)).toBeDefined();
  });

  test('a tunnel that ends on loopback brings more peers than one address may', async () => {
    const { listener, next } = await listening({ maxPerAddress: 1 });
    for (let at = 0; at < 3; at++) {
      const [dialled, accepted] = await Promise.all([dialer().dial(listener.address, never), next()]);
      const echo = new SocketWitness(dialled);
      accepted.write(Uint8Array.of(7));
      await echo.until(() => echo.receivedBytes === 1);
    }
  });

  test.each(['127.0.0.1', '127.8.9.1', '::1', '0:0:0:0::1', '::ffff:127.0.0.1'])(
    '%s is not counted as one address, but in all',
    (host) => {
      const limits = new ConnectionLimits({ maxPerAddress: 1, maxConnections: 3 });
      const releases = [1, 2, 3].map(() => limits.admit(host));
      expect([releases.includes(undefined), limits.admit(host), limits.connections]).toEqual([false, undefined, 3]);
      for (const release of releases) release?.();
      expect(limits.connections).toBe(0);
    },
  );
});

test('a port that is taken is Unavailable and says which', async () => {
  const { listener } = await listening();
  const again = TcpListener.open({
    ...listener.address,
    limits: new ConnectionLimits(),
    log: silentLog,
    accept: (socket) => socket.close(),
  });
  await expect(again).rejects.toMatchObject({ facts: { port: listener.address.port, reason: 'EADDRINUSE' } });
});
