import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { peerSocketContract, type SocketPair, SocketWitness } from '../../../test/contracts/peer-socket.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { readUint16, writeUint16 } from '../../base/bytes.ts';
import { Cancelled, InvalidInput, ProtocolError, TimedOut, Unavailable } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { MIB } from '../../base/units.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import { loadUtp } from './load.ts';
import { type Admission, UtpPort, type UtpPortOptions } from './port.ts';

const library = await loadUtp(silentLog);
const never = new AbortController().signal;

/** Admits so many and counts those that hold a slot. */
class Slots implements Admission {
  held = 0;
  halfOpen = 0;
  readonly max: number;

  constructor(max = 100) {
    this.max = max;
  }

  admit(): (() => void) | undefined {
    if (this.held >= this.max) return undefined;
    this.held++;
    return () => this.held--;
  }

  halfOpenSlot(): Promise<() => void> {
    this.halfOpen++;
    return Promise.resolve(() => this.halfOpen--);
  }
}

describe.skipIf(library === undefined)('uTP', () => {
  const ports: UtpPort[] = [];
  afterEach(async () => {
    await Promise.all(ports.splice(0).map((port) => port.close()));
  });

  interface Listening {
    readonly port: UtpPort;
    readonly slots: Slots;
    /** Resolves with the next accepted socket. */
    readonly next: () => Promise<PeerSocket>;
    readonly accepted: number;
  }

  interface ListeningOptions extends Partial<UtpPortOptions> {
    readonly slots?: Slots;
    readonly host?: string;
    readonly portNumber?: number;
  }

  async function listening(options: ListeningOptions = {}): Promise<Listening> {
    if (library === undefined) throw new Error('no uTP here');
    const { slots = new Slots(), host = '127.0.0.1', portNumber = 0, ...given } = options;
    const sockets: PeerSocket[] = [];
    const waiting: ((socket: PeerSocket) => void)[] = [];
    let accepted = 0;
    const port = new UtpPort({
      library,
      limits: slots,
      log: silentLog,
      accept: (socket) => {
        accepted++;
        const wake = waiting.shift();
        if (wake === undefined) sockets.push(socket);
        else wake(socket);
      },
      ...given,
    });
    await port.open(host, portNumber);
    ports.push(port);
    return {
      port,
      slots,
      next: () => {
        const socket = sockets.shift();
        return socket === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(socket);
      },
      get accepted() {
        return accepted;
      },
    };
  }

  // One pair of ports for all: a connection takes libutp a second to close, a port with connections another.
  let here: Listening;
  let there: Listening;
  beforeAll(async () => {
    [here, there] = [await listening(), await listening()];
    lasting.push(...ports.splice(0));
  });
  const lasting: UtpPort[] = [];
  afterAll(async () => {
    await Promise.all(lasting.map((port) => port.close()));
  });

  async function dialled(signal = never): Promise<{ near: PeerSocket; far: PeerSocket }> {
    const far = there.next();
    const near = await here.port.dial(there.port.address, signal);
    near.write(Uint8Array.of(0));
    return { near, far: await far };
  }

  /** The accepting end exists, and may write, once the dialling end has spoken: one byte, read here. */
  async function pairOf(swapped: boolean): Promise<SocketPair> {
    const { near, far } = await dialled();
    await new Promise<void>((resolve) =>
      far.listen({ received: () => resolve(), drained: () => undefined, closed: () => undefined }),
    );
    return {
      near: swapped ? far : near,
      far: swapped ? near : far,
      stop: () => {
        near.close();
        far.close();
        return Promise.resolve();
      },
    };
  }

  peerSocketContract('uTP, dialled end', () => pairOf(false));
  peerSocketContract('uTP, accepted end', () => pairOf(true));

  test('both ends know the other by IP literal and port', async () => {
    const { near, far } = await dialled();
    expect(near.remote).toEqual(there.port.address);
    expect(far.remote).toEqual(here.port.address);
    near.close();
  });

  test('more than 16 MiB that nobody reads ends the connection', async () => {
    const { near, far } = await dialled();
    const [atNear, atFar] = [new SocketWitness(near), new SocketWitness(far)];
    far.pause();
    let sentBytes = 0;
    while (atNear.closings.length === 0 && sentBytes < 40 * MIB) {
      const drains = atNear.drains;
      const room = near.write(new Uint8Array(MIB));
      sentBytes += MIB;
      if (!room) await atNear.until(() => atNear.drains > drains || atNear.closings.length > 0);
    }
    expect(sentBytes).toBeGreaterThan(16 * MIB);
    expect(sentBytes).toBeLessThan(24 * MIB);
    await atFar.until(() => atFar.closings.length > 0);
    expect(atFar.closings[0]).toBeInstanceOf(ProtocolError);
  });

  describe('dialling', () => {
    test.each([
      [{ host: 'peer.example', port: 6881 }, InvalidInput],
      [{ host: '::1', port: 6881 }, InvalidInput],
      [{ host: '127.0.0.1', port: 0 }, InvalidInput],
      [{ host: '127.0.0.1', port: 65_536 }, InvalidInput],
    ])('refuses the address %o without a packet', async (address, kind) => {
      await expect(here.port.dial(address, never)).rejects.toBeInstanceOf(kind);
      expect(here.slots.halfOpen).toBe(0);
    });

    test('a peer that does not answer is given up after six seconds, its slots with it', async () => {
      const clock = new FakeClock();
      const { port, slots } = await listening({ clock });
      await using silent = await silentPeer();
      const dialling = port.dial(silent.address, never);
      await silent.heard;
      expect([slots.held, slots.halfOpen]).toEqual([1, 1]);
      clock.advance(6_000);
      await expect(dialling).rejects.toBeInstanceOf(TimedOut);
      await expect.poll(() => [slots.held, slots.halfOpen]).toEqual([0, 0]);
    });

    test('an abort ends a dial, before it starts or under way', async () => {
      await expect(here.port.dial(there.port.address, AbortSignal.abort())).rejects.toBeInstanceOf(Cancelled);
      await using silent = await silentPeer();
      const controller = new AbortController();
      const dialling = here.port.dial(silent.address, controller.signal);
      await silent.heard;
      controller.abort();
      await expect(dialling).rejects.toBeInstanceOf(Cancelled);
    });

    test('above the limits is refused without a packet', async () => {
      const { port } = await listening({ slots: new Slots(0) });
      await expect(port.dial(there.port.address, never)).rejects.toBeInstanceOf(Unavailable);
    });

    test('from a port that is closed, or not open yet, is Unavailable', async () => {
      const { port } = await listening();
      await port.close();
      await expect(port.dial(there.port.address, never)).rejects.toBeInstanceOf(Unavailable);
      if (library === undefined) return;
      const early = new UtpPort({ library, limits: new Slots(), log: silentLog, accept: (socket) => socket.close() });
      await expect(early.dial(there.port.address, never)).rejects.toBeInstanceOf(Unavailable);
      await early.close();
    });
  });

  describe('strangers', () => {
    test('that say nothing never reach the engine, are 64 at most, and gone after five seconds', async () => {
      const clock = new FakeClock();
      const listener = await listening({ clock });
      await using stranger = await silentPeer();
      for (let id = 0; id < 200; id++) await stranger.send(synPacket(id * 2), listener.port.address);
      await expect.poll(() => listener.slots.held).toBe(64);
      await stranger.send(synPacket(60_000), listener.port.address);
      expect(listener.slots.held).toBe(64);
      expect(listener.accepted).toBe(0);
      clock.advance(5_000);
      await expect.poll(() => listener.slots.held, { timeout: 5_000 }).toBe(0);
      expect(listener.accepted).toBe(0);
    });

    test('above the limits are not taken', async () => {
      const listener = await listening({ slots: new Slots(0) });
      const socket = await here.port.dial(listener.port.address, never);
      const witness = new SocketWitness(socket);
      socket.write(Uint8Array.of(1));
      await witness.until(() => witness.closings.length > 0);
      expect(listener.accepted).toBe(0);
    });

    test('that send no uTP at all change nothing', async () => {
      await using stranger = await silentPeer();
      for (const noise of [new Uint8Array(0), new Uint8Array(20), new Uint8Array(1_400).fill(0xff)])
        await stranger.send(noise, there.port.address);
      const { near, far } = await dialled();
      expect(far.remote).toEqual(here.port.address);
      near.close();
    });
  });

  test('closing does not wait for a peer that is gone', async () => {
    const clock = new FakeClock();
    const listener = await listening({ clock });
    await using stranger = await silentPeer();
    await stranger.send(synPacket(2), listener.port.address);
    await stranger.send(dataPacket(3, await stranger.heard), listener.port.address);
    await expect.poll(() => listener.accepted).toBe(1);
    const closed = listener.port.close();
    clock.advance(2_000);
    await closed;
    await listener.port.close(); // harmless
  });

  test('a port that is taken is Unavailable and says which', async () => {
    await expect(listening({ portNumber: there.port.address.port })).rejects.toMatchObject({
      code: 'unavailable',
      facts: { port: there.port.address.port },
    });
  });

  test.each(['::1', 'no-such-host.invalid'])('%s has no IPv4 address to listen on', async (host) => {
    await expect(listening({ host })).rejects.toBeInstanceOf(Unavailable);
  });

  test('an IPv6 wildcard means every IPv4 address', async () => {
    const { port } = await listening({ host: '::' });
    expect(port.address.host).toBe('0.0.0.0');
  });
});

test('where the library does not load there is no uTP, and one line says so', async () => {
  const lines: string[] = [];
  const log = { ...silentLog, info: (event: string) => void lines.push(event) };
  expect(await loadUtp(log, () => Promise.reject(new Error('no binary for this system')))).toBeUndefined();
  expect(lines).toEqual(['utp.unavailable']);
});

/** A UDP socket that hears packets and answers none. */
async function silentPeer() {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  return {
    address: { host: '127.0.0.1', port },
    /** The first packet. */
    heard: once(socket, 'message').then(([bytes]: unknown[]) => bytes as Buffer),
    send: (bytes: Uint8Array, to: { readonly host: string; readonly port: number }) =>
      new Promise<void>((resolve) => socket.send(bytes, to.port, to.host, () => resolve())),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}

interface Header {
  readonly type: number;
  readonly connectionId: number;
  readonly sequence: number;
  readonly acknowledges?: number;
}

/** A uTP packet (BEP 29): 20 bytes of header with a receive window of 65,536 bytes, then the payload. */
function packet({ type, connectionId, sequence, acknowledges = 0 }: Header, payload = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(20 + payload.length);
  bytes[0] = (type << 4) | 1;
  writeUint16(bytes, 2, connectionId);
  bytes[13] = 1;
  writeUint16(bytes, 16, sequence);
  writeUint16(bytes, 18, acknowledges);
  bytes.set(payload, 20);
  return bytes;
}

const synPacket = (connectionId: number): Uint8Array => packet({ type: 4, connectionId, sequence: 1 });

/** The first data of a connection, one byte, behind the answer to its SYN: that names the number data will begin with. */
const dataPacket = (connectionId: number, answer: Uint8Array): Uint8Array =>
  packet({ type: 0, connectionId, sequence: 2, acknowledges: readUint16(answer, 16) - 1 }, Uint8Array.of(19));
