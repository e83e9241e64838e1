/** Peers that break the protocol, lie or stall: each is thrown out or ignored, and costs the others nothing. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes, toHex } from '../../src/base/bytes.ts';
import { swarmKeyOf, type SwarmKey } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { decodeMetadataMessage, encodeMetadataMessage, METADATA_PIECE_BYTES } from '../../src/codec/extension.ts';
import { encodeExtended, encodePieceIndex } from '../../src/codec/wire-encode.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import type { MemoryHost } from '../support/memory-network.ts';
import { ScriptedPeer, type ScriptedOptions } from '../support/scripted-peer.ts';
import { makeTorrent, MemoryStorage, PEER_PORT, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const BLOCK = 16 * KIB;
const PIECE = 64 * KIB;

function keyOf(source: TestTorrent): SwarmKey {
  const { v1 } = source.hashes;
  if (v1 === undefined) throw new Error('a v1 torrent');
  return swarmKeyOf(v1);
}

/** A scripted peer that dials the node and greets it. */
async function intrude(swarm: Swarm, node: Node, source: TestTorrent, options: Partial<ScriptedOptions> = {}) {
  const machine = swarm.addMachine();
  const peer = new ScriptedPeer(await machine.dial(node.address));
  peer.sayHello({ swarmKey: keyOf(source), ...options });
  await swarm.clock.advanceAsync(50);
  return peer;
}

/** A scripted peer that waits to be dialled, greets back and then does as `behave` says. */
function lurk(swarm: Swarm, source: TestTorrent, behave: (peer: ScriptedPeer) => void) {
  const machine = swarm.addMachine({ latencyMs: 1 });
  const peers: ScriptedPeer[] = [];
  machine.listen(PEER_PORT, (socket) => {
    const peer = new ScriptedPeer(socket);
    peers.push(peer);
    peer.sayHello({ swarmKey: keyOf(source), extensions: true });
    behave(peer);
  });
  return { machine, address: { host: machine.host, port: PEER_PORT }, peers };
}

async function seeded(): Promise<{ swarm: Swarm; source: TestTorrent; seed: Node; torrent: Torrent }> {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(source.bytes);
  const torrent = seed.engine.add({ ...source.hashes, info: source.info, storage, have: 'all' });
  return { swarm, source, seed, torrent };
}

async function leeching(): Promise<{
  swarm: Swarm;
  source: TestTorrent;
  leech: Node;
  torrent: Torrent;
  storage: MemoryStorage;
}> {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = leech.engine.add({ ...source.hashes, info: source.info, storage, have: 'none' });
  return { swarm, source, leech, torrent, storage };
}

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

test('one bad peer among five is banned by exact blame, and the download ends right', async () => {
  const { swarm, source, leech, torrent, storage } = await leeching();
  const honest = Array.from({ length: 4 }, () =>
    lurk(swarm, source, (peer) => void peer.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE)),
  );
  const liar = lurk(swarm, source, (peer) => {
    peer.signal('haveAll').signal('unchoke');
    peer.serve(source.bytes, PIECE, (block) => block.fill(7));
  });
  torrent.addPeers([...honest, liar].map(({ address }) => address));
  await swarm.until(() => torrent.isComplete);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
  expect(liar.peers.every((peer) => peer.isClosed)).toBe(true);
  expect(torrent.stats().wastedBytes).toBeGreaterThan(0);
  // The ban holds: a new connection from there is refused, one from an honest machine is not.
  torrent.addPeers([liar.address]);
  const again = new ScriptedPeer(await liar.machine.dial(leech.address));
  again.sayHello({ swarmKey: keyOf(source) });
  await swarm.clock.advanceAsync(100);
  expect(again.isClosed).toBe(true);
});

test('a peer that spoils one block of a shared piece is found by fetching the piece again; the honest one stays', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, MIB);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(MIB));
  const torrent = leech.engine.add({ ...source.hashes, info: source.info, storage, have: 'none' });
  const honest = lurk(swarm, source, (p) => void p.signal('haveAll').signal('unchoke').serve(source.bytes, MIB));
  let spoiled = 0;
  const liar = lurk(swarm, source, (p) => {
    p.signal('haveAll').signal('unchoke');
    p.serve(source.bytes, MIB, (block) => (spoiled++ === 0 ? block.fill(7) : block));
  });
  torrent.addPeers([liar.address, honest.address]);
  await swarm.until(() => torrent.isComplete);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
  await swarm.clock.advanceAsync(100);
  const door = async (machine: MemoryHost): Promise<ScriptedPeer> => {
    const peer = new ScriptedPeer(await machine.dial(leech.address));
    peer.sayHello({ swarmKey: keyOf(source) });
    await swarm.clock.advanceAsync(100);
    return peer;
  };
  expect((await door(liar.machine)).isClosed).toBe(true);
  expect((await door(honest.machine)).isClosed).toBe(false);
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

test('a bitfield that lies costs a few rejects and no progress of others', async () => {
  const { swarm, source, torrent, storage } = await leeching();
  const liar = lurk(swarm, source, (peer) => {
    peer.signal('haveAll').signal('unchoke');
    peer.onRequest = (request) => peer.reject(request);
  });
  const honest = lurk(swarm, source, (p) => void p.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE));
  torrent.addPeers([liar.address]);
  await swarm.clock.advanceAsync(5_000);
  const asked = liar.peers.reduce((sum, peer) => sum + peer.requests.length, 0);
  expect(asked).toBeLessThan(16 * 4 * 4);
  torrent.addPeers([honest.address]);
  await swarm.until(() => torrent.isComplete);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a peer that takes requests and delivers nothing loses them to others', async () => {
  const { swarm, source, torrent, storage } = await leeching();
  const silent = lurk(swarm, source, (peer) => void peer.signal('haveAll').signal('unchoke'));
  torrent.addPeers([silent.address]);
  await swarm.until(() => silent.peers.some((peer) => peer.requests.length > 0));
  const honest = lurk(swarm, source, (p) => void p.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE));
  torrent.addPeers([honest.address]);
  await swarm.until(() => torrent.isComplete, 20_000);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a peer that delivers nothing for ten seconds is trusted with one request at a time, until it delivers', async () => {
  const { swarm, source, torrent } = await leeching();
  const silent = lurk(swarm, source, (peer) => void peer.signal('haveAll').signal('unchoke'));
  torrent.addPeers([silent.address]);
  await swarm.clock.advanceAsync(2_000);
  expect(torrent.peers()[0]?.outstandingBlocks).toBeGreaterThan(4);
  await swarm.clock.advanceAsync(12_000);
  expect(torrent.peers()[0]?.outstandingBlocks).toBe(1);
  const [peer] = silent.peers;
  const [last] = peer?.requests.slice(-1) ?? [];
  peer?.serve(source.bytes, PIECE);
  if (last !== undefined) peer?.onRequest(last);
  await swarm.until(() => torrent.isComplete, 5_000);
});

test('what another peer delivered first is cancelled at the slower one at once', async () => {
  const { swarm, source, torrent } = await leeching();
  const silent = lurk(swarm, source, (peer) => void peer.signal('haveAll').signal('unchoke'));
  torrent.addPeers([silent.address]);
  await swarm.until(() => silent.peers.some((peer) => peer.requests.length > 0));
  const honest = lurk(swarm, source, (p) => void p.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE));
  torrent.addPeers([honest.address]);
  await swarm.until(() => torrent.isComplete, 5_000);
  await swarm.clock.advanceAsync(50);
  const [peer] = silent.peers;
  expect(peer?.heard('cancel')).toBe(peer?.requests.length);
});

test('late blocks of cancelled requests are legal, and kept', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = leech.engine.add({ ...source.hashes, info: source.info, storage, have: 'none', mode: 'on-demand' });
  const slow = lurk(swarm, source, (peer) => void peer.signal('haveAll').signal('unchoke'));
  torrent.addPeers([slow.address]);
  const seek = new AbortController();
  const first = torrent.read({ start: 0, endExclusive: PIECE, signal: seek.signal }).getReader();
  const outcome = first.read().catch((error: unknown) => error);
  await swarm.until(() => slow.peers.some((peer) => peer.requests.length > 0));
  const [peer] = slow.peers;
  const asked = [...(peer?.requests ?? [])];
  seek.abort();
  await swarm.clock.advanceAsync(50);
  expect(peer?.heard('cancel')).toBe(asked.length);
  for (const ref of asked) {
    const start = ref.piece * PIECE + ref.offsetBytes;
    peer?.sendBlock(ref, source.bytes.subarray(start, start + ref.lengthBytes));
  }
  await swarm.clock.advanceAsync(200);
  expect(peer?.isClosed).toBe(false);
  expect(torrent.have.has(0)).toBe(true);
  expect(await outcome).toMatchObject({ code: 'cancelled' });
});

test('metadata with the wrong hash convicts its sender alone; the right one opens the torrent', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(MIB));
  const torrent = leech.engine.addByHash({ ...source.hashes, openStorage: async () => ({ storage, have: 'none' }) });
  const giveMetadata = (rawInfo: Uint8Array) => (peer: ScriptedPeer) => {
    peer.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
    peer.sayExtensions({ extensions: { ut_metadata: 9 }, metadataBytes: rawInfo.length });
    peer.onMessage = (message) => {
      if (message.type !== 'extended' || message.extensionId !== 9) return;
      const bytes = rawInfo.subarray(0, METADATA_PIECE_BYTES);
      peer.send(
        encodeExtended(1, encodeMetadataMessage({ type: 'data', piece: 0, totalBytes: rawInfo.length, bytes })),
      );
    };
  };
  const wrong = source.info.rawInfo.slice();
  wrong[20] = (wrong[20] ?? 0) ^ 1;
  const liar = lurk(swarm, source, giveMetadata(wrong));
  torrent.addPeers([liar.address]);
  await swarm.until(() => liar.peers.some((peer) => peer.isClosed));
  expect(torrent.info).toBeUndefined();
  const honest = lurk(swarm, source, giveMetadata(source.info.rawInfo));
  torrent.addPeers([honest.address]);
  await swarm.until(() => torrent.isComplete);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a peer that claims a huge info dictionary and sends none is given up for another', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(MIB));
  const torrent = leech.engine.addByHash({ ...source.hashes, openStorage: async () => ({ storage, have: 'none' }) });
  const liars = Array.from({ length: 3 }, () =>
    lurk(swarm, source, (peer) => void peer.sayExtensions({ extensions: { ut_metadata: 9 }, metadataBytes: 8 * MIB })),
  );
  torrent.addPeers(liars.map(({ address }) => address));
  await swarm.until(() => liars.every(({ peers }) => peers.length > 0));
  const seed = swarm.addNode({ latencyMs: 1 });
  seed.engine.add({ ...source.hashes, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isComplete, 30_000);
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
