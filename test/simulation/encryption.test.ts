/** Encrypted handshakes between engines, and with peers that do them wrong, on a network whose wires are tapped. */
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { InvalidInput, StorageFailed } from '../../src/base/errors.ts';
import { type SwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { sleep } from '../../src/base/tasks.ts';
import { MIB } from '../../src/base/units.ts';
import { obfuscatedKey } from '../../src/codec/mse.ts';
import { type Dialer, Engine } from '../../src/torrent/index.ts';
import { keyOf, instantHasher, makeTorrent, MemoryStorage, PEER_PORT, Swarm } from '../support/swarm.ts';

import {
  crypto,
  leech,
  PIECE,
  PROTOCOL,
  seed,
  someDataOf,
  StrangePeer,
  Tap,
  twoEngines,
} from '../support/encrypted-wire.ts';
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

  test('second, plain attempts are dials like any other: no more of them at once than may be, and each address gets its turn', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const plain = Array.from({ length: 7 }, () =>
      swarm.addNode({ transport: 'tcp', latencyMs: 400 }, { encryption: 'off' }),
    );
    for (const node of plain) seed(node, source);
    const machine = swarm.addMachine({ transport: 'tcp', latencyMs: 20 });
    let [dialling, most] = [0, 0];
    const dialer: Dialer = {
      transport: 'tcp',
      async dial(address, signal) {
        most = Math.max(most, ++dialling);
        await sleep(swarm.clock, 1_500, signal).finally(() => dialling--);
        return machine.dial(address, signal);
      },
    };
    const { clock } = swarm;
    const ports = { clock, hasher: instantHasher, log: silentLog, random: () => 0.5, dialers: [dialer], mse: crypto };
    const { engine } = swarm.addNode({}, { ports, encryption: 'prefer', limits: { maxHalfOpen: 2 } });
    const torrent = engine.add({
      ...source.hashes,
      info: source.info,
      storage: new MemoryStorage(new Uint8Array(source.bytes.length)),
      have: 'none',
      mode: 'on-demand',
      peers: plain.map(({ address }) => address),
    });
    await swarm.until(() => torrent.peerCount === plain.length, 60_000);
    expect(most).toBe(2);
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
