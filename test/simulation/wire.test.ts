/** The order and economy of what we say to peers, and what we make of what they say. */
import { expect, test } from 'vitest';
import { concatBytes, toHex } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { decodeExtendedHandshake, encodeDontHave } from '../../src/codec/extension.ts';
import { encodeHandshake, HANDSHAKE_BYTES } from '../../src/codec/handshake.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { encodeBitfield, encodeExtended, encodeHashRequest, encodePieceIndex } from '../../src/codec/wire-encode.ts';
import type { PeerSocket, PeerSocketListener } from '../../src/torrent/ports.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, makeTorrent, MemoryStorage, PEER_PORT, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE = 64 * KIB;

async function leeching(pieceLengthBytes = PIECE, sizeBytes = MIB) {
  const swarm = new Swarm();
  const source = await makeTorrent(sizeBytes, pieceLengthBytes);
  const leech = swarm.addNode();
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = leech.engine.add({ ...source.hashes, info: source.info, storage, have: 'none' });
  return { swarm, source, leech, torrent, storage };
}

async function meet(swarm: Swarm, node: Node, source: TestTorrent, extensions = false): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(await swarm.addMachine().dial(node.address));
  return peer.sayHello({ swarmKey: keyOf(source), extensions });
}

test('dialling, nothing but the handshake leaves until the peer has answered with its own', async () => {
  const { swarm, source, torrent } = await leeching();
  const machine = swarm.addMachine();
  const received: Uint8Array[] = [];
  let socket: PeerSocket | undefined;
  machine.listen(PEER_PORT, (accepted) => {
    socket = accepted;
    accepted.listen({ received: (bytes) => received.push(bytes), drained: () => undefined, closed: () => undefined });
  });
  torrent.addPeers([{ host: machine.host, port: PEER_PORT }]);
  await swarm.clock.advanceAsync(5_000);
  expect(concatBytes(received)).toHaveLength(HANDSHAKE_BYTES);
  socket?.write(
    encodeHandshake({
      swarmKey: keyOf(source),
      peerId: createPeerId(),
      extensions: true,
      fast: true,
      dht: false,
      v2: false,
    }),
  );
  await swarm.clock.advanceAsync(100);
  expect(concatBytes(received).length).toBeGreaterThan(HANDSHAKE_BYTES + 5);
});

test('after the handshakes comes what we have, then our extensions, with our limits and our client', async () => {
  const { swarm, source, leech } = await leeching();
  const peer = await meet(swarm, leech, source, true);
  await swarm.clock.advanceAsync(50);
  const [first, second] = peer.messages;
  expect(first).toEqual({ type: 'have-none' });
  if (second?.type !== 'extended') throw new Error('an extended handshake');
  expect(decodeExtendedHandshake(second.payload)).toMatchObject({
    extensions: { ut_metadata: 1, ut_pex: 2, lt_donthave: 3 },
    listenPort: PEER_PORT,
    metadataBytes: source.info.rawInfo.length,
    requestQueue: 500,
    uploadOnly: false,
  });
});

test('no more is asked of a peer at once than it says it queues', async () => {
  const { swarm, source, leech, torrent } = await leeching();
  const peer = await meet(swarm, leech, source, true);
  peer.sayExtensions({ extensions: {}, requestQueue: 3 }).signal('haveAll').signal('unchoke');
  let most = 0;
  const waiting: Parameters<typeof peer.onRequest>[0][] = [];
  peer.onRequest = (request) => {
    waiting.push(request);
    most = Math.max(most, waiting.length);
  };
  for (let turn = 0; turn < 400 && !torrent.isComplete; turn++) {
    await swarm.clock.advanceAsync(10);
    const request = waiting.shift();
    if (request === undefined) continue;
    const start = request.piece * PIECE + request.offsetBytes;
    peer.sendBlock(request, source.bytes.subarray(start, start + request.lengthBytes));
  }
  expect(torrent.isComplete).toBe(true);
  expect(most).toBeLessThanOrEqual(3);
});

test('requests leave in batches, one write per half window', async () => {
  const { swarm, source, torrent } = await leeching(256 * KIB, 4 * MIB);
  let listener: PeerSocketListener | undefined;
  let writes = 0;
  const [ours, theirs] = swarm.network.connect(swarm.addMachine(), swarm.addMachine(), 1);
  const counting: PeerSocket = {
    transport: 'memory',
    remote: ours.remote,
    listen: (given) => {
      listener = given;
      ours.listen(given);
    },
    write: (bytes, released) => {
      writes++;
      return ours.write(bytes, released);
    },
    pause: () => ours.pause(),
    resume: () => ours.resume(),
    close: () => ours.close(),
  };
  torrent.attach(counting);
  const peer = new ScriptedPeer(theirs);
  peer
    .sayHello({ swarmKey: keyOf(source) })
    .signal('haveAll')
    .signal('unchoke')
    .serve(source.bytes, 256 * KIB);
  await swarm.until(() => torrent.isComplete);
  expect(listener).toBeDefined();
  expect(peer.requests).toHaveLength(256);
  expect(writes).toBeLessThan(40);
});

test.each(['bitfield', 'have', 'have-all'] as const)(
  'a %s that comes before the metadata counts afterwards',
  async (kind) => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const leech = swarm.addNode();
    const storage = new MemoryStorage(new Uint8Array(MIB));
    const torrent = leech.engine.addByHash({ ...source.hashes, openStorage: async () => ({ storage, have: 'none' }) });
    const peer = await meet(swarm, leech, source);
    if (kind === 'bitfield') peer.send(encodeBitfield(Bitfield.full(16)));
    else if (kind === 'have-all') peer.signal('haveAll');
    else for (let piece = 0; piece < 16; piece++) peer.send(encodePieceIndex('have', piece));
    peer.signal('unchoke').serve(source.bytes, PIECE);
    await swarm.clock.advanceAsync(1_000);
    const seed = swarm.addNode();
    seed.engine.add({
      ...source.hashes,
      info: source.info,
      storage: new MemoryStorage(source.bytes),
      have: 'all',
      uploadBytesPerSecond: 0,
    });
    torrent.addPeers([seed.address]);
    await swarm.until(() => torrent.isComplete, 10_000);
    expect(peer.requests.length).toBeGreaterThanOrEqual(64);
  },
);

test('an early bitfield that turns out not to fit ends the connection', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode();
  const storage = new MemoryStorage(new Uint8Array(MIB));
  const torrent = leech.engine.addByHash({ ...source.hashes, openStorage: async () => ({ storage, have: 'none' }) });
  const liar = await meet(swarm, leech, source);
  liar.send(encodeBitfield(Bitfield.full(99)));
  await swarm.clock.advanceAsync(100);
  expect(liar.isClosed).toBe(false);
  const seed = swarm.addNode();
  seed.engine.add({ ...source.hashes, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isComplete);
  expect(liar.isClosed).toBe(true);
});

test('while choked only pieces that the peer allows are asked for', async () => {
  const { swarm, source, leech, torrent } = await leeching();
  const peer = await meet(swarm, leech, source);
  peer.signal('haveAll').send(encodePieceIndex('allowedFast', 5)).serve(source.bytes, PIECE);
  await swarm.until(() => torrent.have.has(5), 5_000);
  await swarm.clock.advanceAsync(1_000);
  expect(new Set(peer.requests.map(({ piece }) => piece))).toEqual(new Set([5]));
});

test('a piece that a peer says it lost is not asked of it (BEP 54)', async () => {
  const { swarm, source, leech, torrent } = await leeching();
  const peer = await meet(swarm, leech, source, true);
  peer.signal('haveAll').send(encodeExtended(3, encodeDontHave(7)));
  peer.serve(source.bytes, PIECE).signal('unchoke');
  await swarm.until(() => torrent.have.count === 15, 5_000);
  await swarm.clock.advanceAsync(2_000);
  expect(peer.requests.some(({ piece }) => piece === 7)).toBe(false);
  peer.send(encodePieceIndex('have', 7));
  await swarm.until(() => torrent.isComplete, 5_000);
});

test('an extension that a peer switches off with id 0 is not used any more', async () => {
  const { swarm, source, leech } = await leeching();
  const peer = await meet(swarm, leech, source, true);
  peer
    .signal('haveNone')
    .sayExtensions({ extensions: { ut_pex: 7 } })
    .sayExtensions({ extensions: { ut_pex: 0 } });
  const other = await meet(swarm, leech, source, true);
  other.signal('haveNone').sayExtensions({ extensions: {}, listenPort: 9_999 });
  await swarm.clock.advanceAsync(130_000);
  expect(peer.messages.filter((message) => message.type === 'extended' && message.extensionId !== 0)).toEqual([]);
});

test('a request for hashes is refused, not left open (BEP 52)', async () => {
  const { swarm, source, leech } = await leeching();
  const peer = await meet(swarm, leech, source);
  const request = { piecesRoot: new Uint8Array(32).fill(5), baseLayer: 0, index: 0, length: 2, proofLayers: 0 };
  peer.signal('haveNone').send(encodeHashRequest('hashRequest', request));
  await swarm.clock.advanceAsync(50);
  const answer = peer.messages.find((message) => message.type === 'hash-reject');
  expect(answer?.type === 'hash-reject' && toHex(answer.request.piecesRoot)).toBe('05'.repeat(32));
});

test('pieces are offered as they come, to those who lack them', async () => {
  const { swarm, source, leech, torrent } = await leeching();
  const watcher = await meet(swarm, leech, source);
  const half = new Bitfield(16);
  for (let piece = 0; piece < 8; piece++) half.set(piece);
  watcher.send(encodeBitfield(half));
  const seed = await meet(swarm, leech, source);
  seed.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
  await swarm.until(() => torrent.isComplete);
  await swarm.clock.advanceAsync(50);
  const offered = watcher.messages.flatMap((message) => (message.type === 'have' ? [message.piece] : []));
  expect(offered.toSorted((a, b) => a - b)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
});

test('once complete, we part from other seeds and stay with those who want something', async () => {
  const { swarm, source, leech, torrent } = await leeching();
  const wanting = await meet(swarm, leech, source);
  wanting.signal('haveNone').signal('interested');
  const seed = await meet(swarm, leech, source);
  seed.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
  await swarm.until(() => torrent.isComplete);
  await swarm.clock.advanceAsync(100);
  expect([seed.isClosed, wanting.isClosed]).toEqual([true, false]);
  const late = await meet(swarm, leech, source);
  late.signal('haveAll');
  await swarm.clock.advanceAsync(100);
  expect(late.isClosed).toBe(true);
});
