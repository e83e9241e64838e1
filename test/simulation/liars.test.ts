/** Peers that send wrong bytes, claim what they do not have, or keep us waiting: found out, and worked around. */
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { MIB } from '../../src/base/units.ts';
import { encodeMetadataMessage, METADATA_PIECE_BYTES } from '../../src/codec/extension.ts';
import { encodeExtended } from '../../src/codec/wire-encode.ts';
import type { BlockRef } from '../../src/codec/wire.ts';
import type { MemoryHost } from '../support/memory-network.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { leeching, lurk, PIECE } from '../support/strangers.ts';
import { keyOf, makeTorrent, MemoryStorage, Swarm } from '../support/swarm.ts';

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

test('three silent and three refusing peers hold no block back from an idle honest one, however long they stay', async () => {
  const { swarm, source, torrent, storage } = await leeching();
  const isLast = ({ piece, offsetBytes }: BlockRef): boolean => piece === 15 && offsetBytes === PIECE - 16_384;
  /** Serves all but one block. */
  const holdBack = (refuse: (peer: ScriptedPeer, request: BlockRef) => void) => (peer: ScriptedPeer) => {
    peer.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
    const serve = peer.onRequest;
    peer.onRequest = (request) => (isLast(request) ? refuse(peer, request) : serve(request));
  };
  const silent = Array.from({ length: 3 }, () =>
    lurk(
      swarm,
      source,
      holdBack(() => undefined),
    ),
  );
  const refusing = Array.from({ length: 3 }, () =>
    lurk(
      swarm,
      source,
      holdBack((peer, request) => void swarm.clock.after(9_000, () => peer.reject(request))),
    ),
  );
  torrent.addPeers([...silent, ...refusing].map(({ address }) => address));
  await swarm.until(() => torrent.have.count === 15);
  await swarm.clock.advanceAsync(5_000);
  const honest = lurk(swarm, source, (p) => void p.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE));
  torrent.addPeers([honest.address]);
  await swarm.until(() => torrent.isComplete, 15_000);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('three silent peers that were found out take no place from an honest one: it is asked the moment it comes', async () => {
  const { swarm, source, torrent, storage } = await leeching();
  const silent = Array.from({ length: 3 }, () =>
    lurk(swarm, source, (peer) => {
      peer.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
      const serve = peer.onRequest;
      peer.onRequest = (request) => (request.piece === 15 && request.offsetBytes === 0 ? undefined : serve(request));
    }),
  );
  torrent.addPeers(silent.map(({ address }) => address));
  await swarm.until(() => torrent.have.count === 15);
  await swarm.clock.advanceAsync(25_000);
  const honest = lurk(swarm, source, (p) => void p.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE));
  torrent.addPeers([honest.address]);
  await swarm.until(() => torrent.isComplete, 2_000);
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
