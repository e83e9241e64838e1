/** Peers that break the protocol or flood us: each is thrown out or refused, and costs the others nothing. */
import { expect, test } from 'vitest';
import { concatBytes, toHex } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { decodeMetadataMessage, encodeMetadataMessage } from '../../src/codec/extension.ts';
import { encodeExtended, encodePieceIndex } from '../../src/codec/wire-encode.ts';
import type { MemoryHost } from '../support/memory-network.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { intrude, leeching, PIECE, seeded } from '../support/strangers.ts';
import { keyOf, makeTorrent, MemoryStorage, Swarm } from '../support/swarm.ts';

const BLOCK = 16 * KIB;

test.each<{ crime: string; commit: (peer: ScriptedPeer) => void }>([
  { crime: 'a HAVE of a piece that does not exist', commit: (p) => p.send(encodePieceIndex('have', 16)) },
  { crime: 'a bitfield of the wrong size', commit: (p) => p.send(Uint8Array.of(0, 0, 0, 2, 5, 0xff)) },
  { crime: 'a bitfield with spare bits', commit: (p) => p.send(Uint8Array.of(0, 0, 0, 4, 5, 0xff, 0xff, 0xff)) },
  { crime: 'a second statement of pieces', commit: (p) => p.signal('haveNone').signal('haveNone') },
  {
    crime: 'a request past the end of the torrent',
    commit: (p) => p.request({ piece: 16, offsetBytes: 0, lengthBytes: BLOCK }),
  },
  {
    crime: 'a request past the end of a piece',
    commit: (p) => p.request({ piece: 1, offsetBytes: PIECE - 1, lengthBytes: 2 }),
  },
  { crime: 'a request for nothing', commit: (p) => p.request({ piece: 0, offsetBytes: 0, lengthBytes: 0 }) },
  {
    crime: 'a block never asked for',
    commit: (p) => p.sendBlock({ piece: 0, offsetBytes: 0, lengthBytes: BLOCK }, new Uint8Array(BLOCK)),
  },
  { crime: 'the announcement of a block above 128 KiB', commit: (p) => p.send(Uint8Array.of(0, 2, 0, 10, 7)) },
  { crime: 'the announcement of a message above 1 MiB', commit: (p) => p.send(Uint8Array.of(0, 32, 0, 1, 20)) },
  { crime: 'a reject of nothing', commit: (p) => p.reject({ piece: 0, offsetBytes: 0, lengthBytes: BLOCK }) },
  {
    crime: 'an extension message without the extension protocol',
    commit: (p) => p.sayExtensions({ extensions: {} }),
  },
])('$crime ends the connection, and others are still served', async ({ commit }) => {
  const { swarm, source, seed, torrent } = await seeded();
  const honest = await intrude(swarm, seed, source);
  const criminal = await intrude(swarm, seed, source);
  expect(criminal.isClosed).toBe(false);
  commit(criminal);
  await swarm.clock.advanceAsync(200);
  expect(criminal.isClosed).toBe(true);
  honest.signal('interested');
  await swarm.clock.advanceAsync(50);
  honest.request({ piece: 3, offsetBytes: BLOCK, lengthBytes: BLOCK });
  await swarm.clock.advanceAsync(50);
  expect(honest.blocks.map(({ bytes }) => toHex(bytes.subarray(0, 8)))).toEqual([
    toHex(source.bytes.subarray(3 * PIECE + BLOCK, 3 * PIECE + BLOCK + 8)),
  ]);
  expect(torrent.peerCount).toBe(1);
});

test('a request for more than 128 KiB ends the connection even where the piece has that much', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(2 * MIB, MIB);
  const seed = swarm.addNode();
  seed.engine.add({ ...source.hashes, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
  const peer = await intrude(swarm, seed, source);
  peer.signal('interested');
  await swarm.clock.advanceAsync(50);
  peer.request({ piece: 0, offsetBytes: 0, lengthBytes: 128 * KIB });
  await swarm.clock.advanceAsync(50);
  expect(peer.blocks).toHaveLength(1);
  peer.request({ piece: 0, offsetBytes: 0, lengthBytes: 128 * KIB + 1 });
  await swarm.clock.advanceAsync(50);
  expect(peer.isClosed).toBe(true);
});

test('a first byte other than 19 closes at once, without an answer', async () => {
  const { swarm, seed } = await seeded();
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer.send(Uint8Array.of(18));
  await swarm.clock.advanceAsync(20);
  expect(peer.isClosed).toBe(true);
  expect(peer.handshake).toBeUndefined();
});

test('a handshake that drips in slower than ten seconds is cut off', async () => {
  const { swarm, seed } = await seeded();
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  const hello = concatBytes([Uint8Array.of(19), new TextEncoder().encode('BitTorrent protocol')]);
  for (const byte of hello.subarray(0, 9)) {
    peer.send(Uint8Array.of(byte));
    await swarm.clock.advanceAsync(1_000);
  }
  expect(peer.isClosed).toBe(false);
  await swarm.clock.advanceAsync(2_000);
  expect(peer.isClosed).toBe(true);
  expect(seed.engine.connectionCount).toBe(0);
});

test('a handshake for a torrent nobody knows gets no answer, not even ours', async () => {
  const { swarm, source, seed } = await seeded();
  const other = await makeTorrent(MIB, PIECE, { seed: 'other' });
  const peer = await intrude(swarm, seed, other);
  expect(peer.handshake).toBeUndefined();
  expect(peer.isClosed).toBe(true);
  expect((await intrude(swarm, seed, source)).isClosed).toBe(false);
});

test('choked requests, and requests for pieces not held, end in exactly one reject', async () => {
  const { swarm, source, seed } = await seeded();
  const peer = await intrude(swarm, seed, source);
  peer.request({ piece: 0, offsetBytes: 0, lengthBytes: BLOCK });
  await swarm.clock.advanceAsync(50);
  expect(peer.heard('reject')).toBe(1);
  expect(peer.blocks).toEqual([]);
});

test('a flood of requests is bounded: a full queue rejects, each request once, and going on ends the connection', async () => {
  const { swarm, source, seed, torrent } = await seeded();
  torrent.setLimits({ uploadBytesPerSecond: 20 * KIB });
  const peer = await intrude(swarm, seed, source);
  peer.signal('interested');
  await swarm.clock.advanceAsync(50);
  const block = { piece: 0, offsetBytes: 0, lengthBytes: BLOCK };
  peer.request(...Array.from({ length: 1_000 }, () => block));
  await swarm.clock.advanceAsync(50);
  expect(peer.isClosed).toBe(false);
  expect(peer.heard('reject')).toBeGreaterThan(480);
  expect(peer.heard('reject')).toBeLessThan(520);
  peer.request(...Array.from({ length: 3_000 }, () => block));
  await swarm.clock.advanceAsync(50);
  expect(peer.isClosed).toBe(true);
});

test('every request of a peer with the fast extension ends in one block or one reject, cancelled ones included', async () => {
  const { swarm, source, seed, torrent } = await seeded();
  torrent.setLimits({ uploadBytesPerSecond: 200 * KIB });
  const peer = await intrude(swarm, seed, source);
  peer.signal('interested');
  await swarm.clock.advanceAsync(50);
  const all = Array.from({ length: 40 }, (_, at) => ({
    piece: Math.floor(at / 4),
    offsetBytes: (at % 4) * BLOCK,
    lengthBytes: BLOCK,
  }));
  peer.request(...all);
  peer.cancel(...all.filter((_, at) => at % 3 === 0));
  await swarm.clock.advanceAsync(10_000);
  const key = ({ piece, offsetBytes }: { piece: number; offsetBytes: number }): string => `${piece}/${offsetBytes}`;
  const answers = [
    ...peer.blocks.map(({ ref }) => key(ref)),
    ...peer.messages.flatMap((message) => (message.type === 'reject' ? [key(message.block)] : [])),
  ];
  expect(answers.toSorted()).toEqual(all.map(key).toSorted());
});

test('a machine that breaks the protocol five times is not let in again; others are', async () => {
  const { swarm, source, seed } = await seeded();
  const machine = swarm.addMachine();
  const greet = async (from: MemoryHost): Promise<ScriptedPeer> => {
    const peer = new ScriptedPeer(await from.dial(seed.address));
    peer.sayHello({ swarmKey: keyOf(source) });
    await swarm.clock.advanceAsync(20);
    return peer;
  };
  for (let crime = 0; crime < 5; crime++) {
    const peer = await greet(machine);
    expect(peer.isClosed).toBe(false);
    peer.send(encodePieceIndex('have', 16));
    await swarm.clock.advanceAsync(20);
    expect(peer.isClosed).toBe(true);
  }
  expect((await greet(machine)).isClosed).toBe(true);
  expect((await greet(swarm.addMachine())).isClosed).toBe(false);
});

test('metadata is served to a peer three times over, then refused', async () => {
  const { swarm, source, seed } = await seeded();
  const peer = await intrude(swarm, seed, source, { extensions: true });
  peer.sayExtensions({ extensions: { ut_metadata: 9 } });
  for (let at = 0; at < 5; at++) peer.send(encodeExtended(1, encodeMetadataMessage({ type: 'request', piece: 0 })));
  peer.send(encodeExtended(1, encodeMetadataMessage({ type: 'request', piece: 77 })));
  await swarm.clock.advanceAsync(50);
  const answers = peer.messages.flatMap((message) =>
    message.type === 'extended' && message.extensionId === 9 ? [decodeMetadataMessage(message.payload)?.type] : [],
  );
  expect(answers).toEqual(['data', 'data', 'data', 'reject', 'reject', 'reject']);
});

test('connecting to ourselves is noticed, closed, and the address forgotten', async () => {
  const { swarm, leech, torrent } = await leeching();
  torrent.addPeers([leech.address]);
  await swarm.clock.advanceAsync(30_000);
  expect(torrent.peerCount).toBe(0);
  expect(swarm.network.openSockets).toBe(0);
  expect(swarm.clock.pending).toBe(0);
});

test('a connection that breaks is no offence, however often: the peer may come back', async () => {
  const { swarm, source, seed } = await seeded();
  const machine = swarm.addMachine();
  const come = async (): Promise<ScriptedPeer> => {
    const socket = await machine.dial(seed.address);
    const peer = new ScriptedPeer(socket).sayHello({ swarmKey: keyOf(source) });
    await swarm.clock.advanceAsync(100);
    return peer;
  };
  for (let broken = 0; broken < 6; broken++) {
    await come();
    for (const socket of machine.sockets) socket.reset();
    await swarm.clock.advanceAsync(1_000);
  }
  const peer = await come();
  expect([peer.isClosed, peer.handshake === undefined]).toEqual([false, false]);
});
