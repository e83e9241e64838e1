/** Encrypted handshakes between engines, and with peers that do them wrong, on a network whose wires are tapped. */
import { describe, expect, test } from 'vitest';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { concatBytes, randomBytes, toHex, utf8 } from '../../src/base/bytes.ts';
import { InvalidInput, StorageFailed } from '../../src/base/errors.ts';
import { swarmKeyOf, type SwarmKey } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeHandshake } from '../../src/codec/handshake.ts';
import { obfuscatedKey } from '../../src/codec/mse.ts';
import { MseInitiator, type MseStream } from '../../src/codec/mse-handshake.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { Engine, type EncryptionPolicy, type EngineOptions, type Torrent } from '../../src/torrent/index.ts';
import type { PeerSocket, PeerSocketListener } from '../../src/torrent/ports.ts';
import {
  instantHasher,
  makeTorrent,
  MemoryStorage,
  PEER_PORT,
  Swarm,
  type Node,
  type TestTorrent,
} from '../support/swarm.ts';

const PIECE = 64 * KIB;
const crypto = new NodeMseCrypto();
const PROTOCOL = toHex(utf8('BitTorrent protocol'));

function keyOf({ hashes }: TestTorrent): SwarmKey {
  if (hashes.v1 === undefined) throw new Error('a v1 torrent');
  return swarmKeyOf(hashes.v1);
}

/** What went over one connection, from the accepting side. */
class Tap {
  readonly #in: Uint8Array[] = [];
  readonly #out: Uint8Array[] = [];

  /** The socket, overheard. */
  on(socket: PeerSocket): PeerSocket {
    return {
      transport: socket.transport,
      remote: socket.remote,
      listen: (listener: PeerSocketListener) =>
        socket.listen({
          received: (bytes) => {
            this.#in.push(bytes.slice());
            listener.received(bytes);
          },
          drained: () => listener.drained(),
          closed: (cause) => listener.closed(cause),
        }),
      write: (bytes, released) => {
        this.#out.push(bytes.slice());
        return socket.write(bytes, released);
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.close(),
    };
  }

  /** Whether the dialling end sent these bytes in the clear. */
  heard(hex: string): boolean {
    return toHex(concatBytes(this.#in)).includes(hex);
  }

  /** Whether either end sent these bytes in the clear. */
  saw(hex: string): boolean {
    return this.heard(hex) || toHex(concatBytes(this.#out)).includes(hex);
  }
}

interface World {
  readonly swarm: Swarm;
  readonly source: TestTorrent;
  readonly seeder: Node;
  readonly leecher: Node;
  /** One per connection that the seeder accepted. */
  readonly taps: readonly Tap[];
}

/** Two engines; the torrent runs at neither yet. */
async function twoEngines(
  dialling: EncryptionPolicy,
  listening: EncryptionPolicy,
  options: Partial<EngineOptions> = {},
): Promise<World> {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seeder = swarm.addNode({ transport: 'tcp' }, { encryption: listening, ...options });
  const leecher = swarm.addNode({ transport: 'tcp' }, { encryption: dialling });
  const taps: Tap[] = [];
  seeder.machine.listen(PEER_PORT, (socket) => {
    const tap = new Tap();
    taps.push(tap);
    seeder.engine.accept(tap.on(socket));
  });
  return { swarm, source, seeder, leecher, taps };
}

function seed(node: Node, source: TestTorrent): Torrent {
  const storage = new MemoryStorage(source.bytes);
  return node.engine.add({ ...source.hashes, info: source.info, storage, have: 'all', mode: 'seed-only' });
}

function leech(node: Node, source: TestTorrent, from: Pick<Node, 'address'>): Torrent {
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  return node.engine.add({ ...source.hashes, info: source.info, storage, have: 'none', peers: [from.address] });
}

/** The first bytes of a piece in the middle: seen on a wire, the stream is in the clear. */
function someDataOf(source: TestTorrent): string {
  return toHex(source.bytes.subarray(5 * PIECE, 5 * PIECE + 32));
}

describe('what two engines make of their policies', () => {
  test.each([
    { dialling: 'prefer', listening: 'prefer', handshake: 'encrypted', stream: 'plain', connections: 1 },
    { dialling: 'prefer', listening: 'require', handshake: 'encrypted', stream: 'RC4', connections: 1 },
    { dialling: 'require', listening: 'prefer', handshake: 'encrypted', stream: 'RC4', connections: 1 },
    { dialling: 'require', listening: 'require', handshake: 'encrypted', stream: 'RC4', connections: 1 },
    { dialling: 'prefer', listening: 'off', handshake: 'plain', stream: 'plain', connections: 2 },
    { dialling: 'off', listening: 'prefer', handshake: 'plain', stream: 'plain', connections: 1 },
    { dialling: 'off', listening: 'off', handshake: 'plain', stream: 'plain', connections: 1 },
  ] as const)(
    '$dialling dials $listening: the handshake is $handshake, the stream $stream, after $connections connections',
    async ({ dialling, listening, handshake, stream, connections }) => {
      const { swarm, source, seeder, leecher, taps } = await twoEngines(dialling, listening);
      seed(seeder, source);
      const torrent = leech(leecher, source, seeder);
      await swarm.until(() => torrent.isComplete, 5_000);
      expect(taps).toHaveLength(connections);
      const tap = taps.at(-1);
      expect(tap?.heard(PROTOCOL)).toBe(handshake === 'plain');
      expect(tap?.heard(keyOf(source))).toBe(handshake === 'plain');
      expect(tap?.saw(PROTOCOL)).toBe(stream === 'plain');
      expect(tap?.saw(someDataOf(source))).toBe(stream === 'plain');
    },
  );

  test.each([
    { dialling: 'off', listening: 'require' },
    { dialling: 'require', listening: 'off' },
  ] as const)('$dialling and $listening never meet, and say no torrent’s name in the clear', async (policies) => {
    const { swarm, source, seeder, leecher, taps } = await twoEngines(policies.dialling, policies.listening);
    seed(seeder, source);
    const torrent = leech(leecher, source, seeder);
    await swarm.clock.advanceAsync(30_000);
    expect(torrent.stats()).toMatchObject({ heldPieces: 0, peers: 0 });
    expect(taps.length).toBeGreaterThan(0);
    if (policies.dialling === 'require') expect(taps.some((tap) => tap.saw(keyOf(source)))).toBe(false);
  });

  test.each(['prefer', 'require'] as const)('%s: a magnet gets metadata and bytes', async (policy) => {
    const { swarm, source, seeder, leecher } = await twoEngines(policy, policy);
    seed(seeder, source);
    const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
    const torrent = leecher.engine.addByHash({
      ...source.hashes,
      peers: [seeder.address],
      openStorage: () => Promise.resolve({ storage, have: 'none' }),
    });
    await swarm.until(() => torrent.isComplete, 10_000);
    expect(Buffer.compare(storage.bytes, source.bytes)).toBe(0);
  });

  test('what is encrypted on its way out comes back to the pool when it has left', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const seeder = swarm.addNode({ transport: 'tcp', uploadBytesPerSecond: MIB }, { encryption: 'require' });
    const leecher = swarm.addNode({ transport: 'tcp' }, { encryption: 'require' });
    seed(seeder, source);
    const torrent = leech(leecher, source, seeder);
    let mostBytes = 0;
    await swarm.until(() => {
      mostBytes = Math.max(mostBytes, seeder.engine.bufferBytes);
      return torrent.isComplete;
    });
    expect(mostBytes).toBeGreaterThan(0);
    await swarm.until(() => seeder.engine.bufferBytes === 0, 5_000);
  });

  test('a transport that is encrypted already, or has no wire, is left alone', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const [seeder, leecher] = [
      swarm.addNode({ transport: 'webrtc' }, { encryption: 'require' }),
      swarm.addNode({ transport: 'webrtc' }, { encryption: 'require' }),
    ];
    const tap = new Tap();
    seeder.machine.listen(PEER_PORT, (socket) => seeder.engine.accept(tap.on(socket)));
    seed(seeder, source);
    const torrent = leech(leecher, source, seeder);
    await swarm.until(() => torrent.isComplete, 5_000);
    expect(tap.saw(PROTOCOL)).toBe(true);
  });

  test('an open socket that is handed to a torrent is encrypted where that is required', async () => {
    const { swarm, source, seeder, leecher, taps } = await twoEngines('require', 'require');
    const [seeded, wanted] = [seed(seeder, source), leech(leecher, source, { address: { host: '10.9.9.9', port: 1 } })];
    const [ours, theirs] = swarm.network.connect(leecher.machine, seeder.machine, 1);
    const tap = new Tap();
    seeded.attach(tap.on(theirs), { initiated: false });
    wanted.attach(ours, { initiated: true });
    await swarm.until(() => wanted.isComplete, 5_000);
    expect(taps).toHaveLength(0);
    expect(tap.saw(PROTOCOL)).toBe(false);
    expect(tap.saw(someDataOf(source))).toBe(false);
  });

  test('requiring encryption without the arithmetic for it is an error at the start', () => {
    const { clock } = new Swarm();
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const ports = { clock, hasher: instantHasher, log, random: () => 0, dialers: [] };
    expect(() => new Engine({ ports, encryption: 'require' })).toThrow(InvalidInput);
    expect(() => new Engine({ ports })).not.toThrow();
  });
});

describe('a torrent that does not run', () => {
  test('is found by its obfuscated key and woken, once for many who ask', async () => {
    const asked: string[] = [];
    const woken: SwarmKey[] = [];
    const { swarm, source, seeder, leecher } = await twoEngines('prefer', 'prefer', {
      resolveObfuscated: (digest) => {
        asked.push(toHex(digest));
        return new Promise((resolve) => swarm.clock.after(300, () => resolve(keyOf(source))));
      },
      wake: async (key) => {
        woken.push(key);
        return seeder.engine.get(key) ?? seed(seeder, source);
      },
    });
    const torrent = leech(leecher, source, seeder);
    await swarm.until(() => torrent.isComplete, 5_000);
    expect(asked).toEqual([toHex(obfuscatedKey(crypto, keyOf(source)))]);
    expect(woken).toEqual([keyOf(source)]);
  });

  test.each([
    { what: 'nobody knows it', resolve: () => Promise.resolve(undefined) },
    { what: 'looking it up fails', resolve: () => Promise.reject(new StorageFailed('the disk is gone')) },
    { what: 'there is nowhere to look', resolve: undefined },
  ])('closes the connection at once when $what', async ({ resolve }) => {
    const { swarm, source, seeder } = await twoEngines(
      'prefer',
      'prefer',
      resolve === undefined ? {} : { resolveObfuscated: resolve },
    );
    const peer = await StrangePeer.dial(swarm, seeder);
    peer.greet(keyOf(source));
    await swarm.clock.advanceAsync(100);
    expect(peer.isClosed).toBe(true);
    expect(seeder.engine.connectionCount).toBe(0);
  });

  test('is not asked for again once it runs, and asked for anew when it has stopped', async () => {
    const asked: string[] = [];
    const { swarm, source, seeder } = await twoEngines('prefer', 'prefer', {
      resolveObfuscated: async (digest) => void asked.push(toHex(digest)),
    });
    const seeded = seed(seeder, source);
    (await StrangePeer.dial(swarm, seeder)).greet(keyOf(source));
    await swarm.clock.advanceAsync(100);
    expect(asked).toHaveLength(0);
    await seeded.stop();
    (await StrangePeer.dial(swarm, seeder)).greet(keyOf(source));
    await swarm.clock.advanceAsync(100);
    expect(asked).toHaveLength(1);
  });
});

/** A peer that goes through the encrypted handshake as far as its test wants. */
class StrangePeer {
  readonly socket: PeerSocket;
  readonly received: Uint8Array[] = [];
  isClosed = false;
  stream: MseStream | undefined;
  onReceived: (bytes: Uint8Array) => void = () => undefined;

  constructor(socket: PeerSocket) {
    this.socket = socket;
    socket.listen({
      received: (bytes) => {
        this.received.push(bytes.slice());
        this.onReceived(bytes);
      },
      drained: () => undefined,
      closed: () => (this.isClosed = true),
    });
  }

  static async dial(swarm: Swarm, node: Node): Promise<StrangePeer> {
    return new StrangePeer(await swarm.addMachine({ transport: 'tcp' }).dial(node.address));
  }

  /** The initiator's whole part, with `inner` as the BitTorrent handshake inside. */
  greet(swarmKey: SwarmKey, inner: SwarmKey = swarmKey): void {
    const initialPayload = encodeHandshake({
      swarmKey: inner,
      peerId: createPeerId(),
      extensions: false,
      fast: true,
      dht: false,
      v2: false,
    });
    const initiator = new MseInitiator(
      { crypto, swarmKey, offers: ['plain', 'rc4'], initialPayload },
      { send: (bytes) => this.socket.write(bytes), opened: (stream) => (this.stream = stream) },
    );
    this.onReceived = (bytes) => {
      if (this.stream === undefined) initiator.feed(bytes);
    };
    initiator.start();
  }

  get receivedBytes(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }
}

describe('peers that do not go on', () => {
  test.each([
    { where: 'before the first byte', bytes: new Uint8Array(0) },
    { where: 'within what could be a plain handshake', bytes: concatBytes([Uint8Array.of(19), utf8('BitTorrent')]) },
    { where: 'within their public key', bytes: randomBytes(50) },
    { where: 'after their public key', bytes: concatBytes([Uint8Array.of(1), randomBytes(95)]) },
    { where: 'within the padding', bytes: concatBytes([Uint8Array.of(1), randomBytes(300)]) },
  ])('are closed after ten seconds when they stop $where', async ({ bytes }) => {
    const { swarm, source, seeder } = await twoEngines('prefer', 'prefer');
    seed(seeder, source);
    const peer = await StrangePeer.dial(swarm, seeder);
    if (bytes.length > 0) peer.socket.write(bytes);
    await swarm.clock.advanceAsync(9_000);
    expect(peer.isClosed).toBe(false);
    expect(seeder.engine.connectionCount).toBe(1);
    await swarm.clock.advanceAsync(1_500);
    expect(peer.isClosed).toBe(true);
    expect(seeder.engine.connectionCount).toBe(0);
  });

  test('are closed after ten seconds also when the lookup of their swarm never ends', async () => {
    const { swarm, source, seeder } = await twoEngines('prefer', 'prefer', {
      resolveObfuscated: () => new Promise(() => undefined),
    });
    const peer = await StrangePeer.dial(swarm, seeder);
    peer.greet(keyOf(source));
    await swarm.clock.advanceAsync(10_500);
    expect(peer.isClosed).toBe(true);
  });

  test('count against the cap of unfinished handshakes: one more is closed at once', async () => {
    const { swarm, source, seeder } = await twoEngines('prefer', 'prefer', { limits: { maxGreetings: 2 } });
    seed(seeder, source);
    const [first, second] = [await StrangePeer.dial(swarm, seeder), await StrangePeer.dial(swarm, seeder)];
    for (const peer of [first, second]) peer.socket.write(concatBytes([Uint8Array.of(1), randomBytes(95)]));
    await swarm.clock.advanceAsync(100);
    const third = await StrangePeer.dial(swarm, seeder);
    await swarm.clock.advanceAsync(100);
    expect([first.isClosed, second.isClosed, third.isClosed]).toEqual([false, false, true]);
  });

  test('are left alone, and nothing of them stays, when the engine stops', async () => {
    const { swarm, source, seeder, leecher } = await twoEngines('prefer', 'prefer');
    seed(seeder, source);
    const silent = swarm.addMachine({ transport: 'tcp' });
    silent.listen(PEER_PORT, (socket) => void new StrangePeer(socket));
    leech(leecher, source, { address: { host: silent.host, port: PEER_PORT } });
    const peer = await StrangePeer.dial(swarm, seeder);
    peer.socket.write(randomBytes(50));
    await swarm.clock.advanceAsync(500);
    expect(leecher.engine.connectionCount).toBe(1);
    await Promise.all([seeder.engine.stop(), leecher.engine.stop()]);
    await swarm.clock.advanceAsync(1_000);
    expect(swarm.network.openSockets).toBe(0);
    expect(swarm.clock.pending).toBe(0);
  });
});

describe('peers that do it wrong', () => {
  test.each([
    { what: 'never end their padding', bytes: concatBytes([Uint8Array.of(1), randomBytes(95), new Uint8Array(532)]) },
    { what: 'send a public key of zero', bytes: new Uint8Array(96) },
    { what: 'speak HTTP', bytes: utf8(`GET / HTTP/1.1\r\n${'x'.repeat(1_000)}\r\n\r\n`) },
  ])('are closed at once when they $what', async ({ bytes }) => {
    const { swarm, source, seeder } = await twoEngines('prefer', 'prefer');
    seed(seeder, source);
    const peer = await StrangePeer.dial(swarm, seeder);
    peer.socket.write(bytes);
    await swarm.clock.advanceAsync(100);
    expect(peer.isClosed).toBe(true);
    expect(seeder.engine.connectionCount).toBe(0);
  });

  test('are closed when the handshake inside names another torrent than the one around it', async () => {
    const { swarm, source, seeder } = await twoEngines('prefer', 'prefer');
    const other = await makeTorrent(MIB, PIECE, { seed: 'another' });
    seed(seeder, source);
    seed(seeder, other);
    const peer = await StrangePeer.dial(swarm, seeder);
    peer.greet(keyOf(source), keyOf(other));
    await swarm.clock.advanceAsync(100);
    expect(peer.isClosed).toBe(true);
    const honest = await StrangePeer.dial(swarm, seeder);
    honest.greet(keyOf(other));
    await swarm.clock.advanceAsync(100);
    expect(honest.isClosed).toBe(false);
  });

  test('may cut the stream anywhere, byte by byte', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(2 * PIECE, PIECE);
    const options = { transport: 'tcp', chunkBytes: 1 } as const;
    const [seeder, leecher] = [swarm.addNode(options), swarm.addNode(options)];
    seed(seeder, source);
    const torrent = leech(leecher, source, seeder);
    await swarm.until(() => torrent.isComplete, 20_000);
  });
});

describe('a peer that takes plain handshakes only', () => {
  /** Closes on anything that is not plain, and counts. */
  function plainOnly(swarm: Swarm, source: TestTorrent, answer: Uint8Array | undefined) {
    const machine = swarm.addMachine({ transport: 'tcp' });
    const firstBytes: number[] = [];
    machine.listen(PEER_PORT, (socket) => {
      const peer = new StrangePeer(socket);
      peer.onReceived = (bytes) => {
        if (peer.received.length > 1) return;
        firstBytes.push(bytes[0] ?? 0);
        if (bytes[0] !== 19 && answer === undefined) socket.close();
        else if (bytes[0] !== 19) socket.write(answer ?? bytes);
        else
          socket.write(
            encodeHandshake({
              swarmKey: keyOf(source),
              peerId: createPeerId(),
              extensions: false,
              fast: true,
              dht: false,
              v2: false,
            }),
          );
      };
    });
    return { address: { host: machine.host, port: PEER_PORT }, firstBytes };
  }

  test.each([
    { how: 'closes', answer: undefined, withinMs: 100 },
    { how: 'answers with a public key of zero', answer: new Uint8Array(96), withinMs: 100 },
    {
      how: 'answers with something else',
      answer: concatBytes([Uint8Array.of(1), randomBytes(95), new Uint8Array(520)]),
      withinMs: 100,
    },
    { how: 'answers nothing', answer: new Uint8Array(0), withinMs: 10_500 },
  ])('is dialled again at once, in plain, when it $how', async ({ answer, withinMs }) => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const { address, firstBytes } = plainOnly(swarm, source, answer);
    const leecher = swarm.addNode({ transport: 'tcp' });
    const torrent = leech(leecher, source, { address });
    await swarm.clock.advanceAsync(withinMs);
    expect(torrent.peerCount).toBe(1);
    expect(firstBytes.map((byte) => byte === 19)).toEqual([false, true]);
  });

  test('is remembered, and dialled in plain at once the next time', async () => {
    const swarm = new Swarm();
    const [source, other] = [await makeTorrent(MIB, PIECE), await makeTorrent(MIB, PIECE, { seed: 'another' })];
    const { address, firstBytes } = plainOnly(swarm, source, undefined);
    const leecher = swarm.addNode({ transport: 'tcp' });
    leech(leecher, source, { address });
    await swarm.clock.advanceAsync(500);
    leech(leecher, other, { address });
    await swarm.clock.advanceAsync(100);
    expect(firstBytes.map((byte) => byte === 19)).toEqual([false, true, true]);
  });

  test('and is found to refuse them is dialled encrypted first again', async () => {
    const swarm = new Swarm();
    const [source, other] = [await makeTorrent(MIB, PIECE), await makeTorrent(MIB, PIECE, { seed: 'another' })];
    const { address, firstBytes } = plainOnly(swarm, source, undefined);
    const leecher = swarm.addNode({ transport: 'tcp' });
    leech(leecher, source, { address });
    await swarm.clock.advanceAsync(500);
    const dials: number[] = [];
    swarm.network.find(address.host)?.listen(PEER_PORT, (socket) => {
      const peer = new StrangePeer(socket);
      peer.onReceived = ([first = 0]) => {
        dials.push(first);
        socket.close();
      };
    });
    leech(leecher, other, { address });
    await swarm.clock.advanceAsync(1_500);
    expect(firstBytes.map((byte) => byte === 19)).toEqual([false, true]);
    expect(dials.slice(0, 2).map((byte) => byte === 19)).toEqual([true, false]);
  });

  test('and closes on those as well is tried encrypted again later, not forever in plain', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const machine = swarm.addMachine({ transport: 'tcp' });
    let dials = 0;
    machine.listen(PEER_PORT, (socket) => {
      dials++;
      socket.close();
    });
    const leecher = swarm.addNode({ transport: 'tcp' });
    leech(leecher, source, { address: { host: machine.host, port: PEER_PORT } });
    await swarm.clock.advanceAsync(500);
    expect(dials).toBe(2);
    await swarm.clock.advanceAsync(1_000);
    expect(dials).toBe(4);
    expect(leecher.engine.connectionCount).toBe(0);
  });

  test('is never told anything in plain where encryption is required', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const { address, firstBytes } = plainOnly(swarm, source, undefined);
    const leecher = swarm.addNode({ transport: 'tcp' }, { encryption: 'require' });
    leech(leecher, source, { address });
    await swarm.clock.advanceAsync(30_000);
    expect(firstBytes.length).toBeGreaterThan(1);
    expect(firstBytes).not.toContain(19);
  });
});

test.each(['prefer', 'require'] as const)(
  '%s: we recognise ourselves at the other end and do not come back',
  async (encryption) => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const node = swarm.addNode({ transport: 'tcp' }, { encryption });
    let accepted = 0;
    node.machine.listen(PEER_PORT, (socket) => {
      accepted++;
      node.engine.accept(socket);
    });
    const torrent = leech(node, source, node);
    await swarm.clock.advanceAsync(120_000);
    expect(torrent.peerCount).toBe(0);
    expect(accepted).toBe(1);
  },
);
