/** Encrypted handshakes that come to nothing: peers that stall, do them wrong, or take plain ones only. */
import { describe, expect, test } from 'vitest';
import { concatBytes, randomBytes, utf8 } from '../../src/base/bytes.ts';
import { MIB } from '../../src/base/units.ts';
import { encodeHandshake } from '../../src/codec/handshake.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { keyOf, makeTorrent, PEER_PORT, Swarm, type TestTorrent } from '../support/swarm.ts';

import { leech, PIECE, seed, StrangePeer, twoEngines } from '../support/encrypted-wire.ts';
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

/** By all of its beginning: one public key in 256 starts with the same byte. */
function isPlain(bytes: Uint8Array): boolean {
  return utf8('\u0013BitTorrent protocol').every((byte, at) => byte === bytes[at]);
}

describe('a peer that takes plain handshakes only', () => {
  /** Closes on anything that is not plain, and counts. */
  function plainOnly(swarm: Swarm, source: TestTorrent, answer: Uint8Array | undefined) {
    const machine = swarm.addMachine({ transport: 'tcp' });
    const arePlain: boolean[] = [];
    machine.listen(PEER_PORT, (socket) => {
      const peer = new StrangePeer(socket);
      peer.onReceived = (bytes) => {
        if (peer.received.length > 1) return;
        arePlain.push(isPlain(bytes));
        if (!isPlain(bytes) && answer === undefined) socket.close();
        else if (!isPlain(bytes)) socket.write(answer ?? bytes);
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
    return { address: { host: machine.host, port: PEER_PORT }, arePlain };
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
    const { address, arePlain } = plainOnly(swarm, source, answer);
    const leecher = swarm.addNode({ transport: 'tcp' });
    const torrent = leech(leecher, source, { address });
    await swarm.clock.advanceAsync(withinMs);
    expect(torrent.peerCount).toBe(1);
    expect(arePlain).toEqual([false, true]);
  });

  test('waits for its turn where others have taken its place, and is dialled in plain then', async () => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const { address, arePlain } = plainOnly(swarm, source, new Uint8Array(0));
    const leecher = swarm.addNode({ transport: 'tcp' }, { limits: { maxConnections: 1 } });
    const torrent = leech(leecher, source, { address });
    await swarm.clock.advanceAsync(1_000);
    const silent = swarm.addMachine();
    silent.listen(PEER_PORT, () => undefined);
    torrent.attach(await leecher.machine.dial({ host: silent.host, port: PEER_PORT }));
    // The first has been given up for its silence, the second, which a page of ours has met, not yet.
    await swarm.clock.advanceAsync(9_500);
    expect([arePlain, leecher.engine.connectionCount]).toEqual([[false], 1]);
    await swarm.until(() => torrent.peerCount === 1, 60_000);
    expect(arePlain).toEqual([false, true]);
  });

  test('is remembered, and dialled in plain at once the next time', async () => {
    const swarm = new Swarm();
    const [source, other] = [await makeTorrent(MIB, PIECE), await makeTorrent(MIB, PIECE, { seed: 'another' })];
    const { address, arePlain } = plainOnly(swarm, source, undefined);
    const leecher = swarm.addNode({ transport: 'tcp' });
    leech(leecher, source, { address });
    await swarm.clock.advanceAsync(500);
    leech(leecher, other, { address });
    await swarm.clock.advanceAsync(100);
    expect(arePlain).toEqual([false, true, true]);
  });

  test('and is found to refuse them is dialled encrypted first again', async () => {
    const swarm = new Swarm();
    const [source, other] = [await makeTorrent(MIB, PIECE), await makeTorrent(MIB, PIECE, { seed: 'another' })];
    const { address, arePlain } = plainOnly(swarm, source, undefined);
    const leecher = swarm.addNode({ transport: 'tcp' });
    leech(leecher, source, { address });
    await swarm.clock.advanceAsync(500);
    const dials: boolean[] = [];
    swarm.network.find(address.host)?.listen(PEER_PORT, (socket) => {
      const peer = new StrangePeer(socket);
      peer.onReceived = (bytes) => {
        dials.push(isPlain(bytes));
        socket.close();
      };
    });
    leech(leecher, other, { address });
    await swarm.clock.advanceAsync(1_500);
    expect(arePlain).toEqual([false, true]);
    expect(dials.slice(0, 2)).toEqual([true, false]);
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
    const { address, arePlain } = plainOnly(swarm, source, undefined);
    const leecher = swarm.addNode({ transport: 'tcp' }, { encryption: 'require' });
    leech(leecher, source, { address });
    await swarm.clock.advanceAsync(30_000);
    expect(arePlain.length).toBeGreaterThan(1);
    expect(arePlain).not.toContain(true);
  });
});
