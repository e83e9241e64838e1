/** Hashes of v2 torrents between peers: how they are asked for and proven, and peers that lie about them (BEP 52). */
import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes, toHex } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { fold, isProven, proofLayersFor } from '../../src/codec/merkle.ts';
import { encodeHashes, encodeHashRequest } from '../../src/codec/wire-encode.ts';
import type { HashRequest } from '../../src/codec/wire-hashes.ts';
import { seededRandom } from '../support/random-bytes.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrentOf, MemoryStorage, PEER_PORT, Swarm, type V2TestTorrent } from '../support/swarm.ts';
import { addLeech, addSeed, v2KeyOf } from '../support/v2-swarm.ts';

const BLOCK = 16 * KIB;

describe('hash requests', () => {
  /** 5 pieces of 4 leaves, the last of 1 leaf; a tree of 32 leaves. */
  async function asked(held: readonly number[] | 'all' = 'all') {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [4 * 64 * KIB + 100], 64 * KIB);
    const seed = swarm.addNode({ latencyMs: 1 });
    const torrent = seed.engine.add({
      ...source.hashes,
      info: source.info,
      ...(source.pieceLayers && { pieceLayers: source.pieceLayers }),
      storage: new MemoryStorage(source.bytes),
      have: held === 'all' ? 'all' : 'none',
    });
    if (held !== 'all') for (const piece of held) torrent.have.set(piece);
    const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
    peer.sayHello({ swarmKey: v2KeyOf(source) }).signal('haveNone');
    const root = source.info.files[0]?.piecesRoot ?? expect.fail('no root');
    const ask = async (request: Omit<HashRequest, 'piecesRoot'>, piecesRoot = root) => {
      const before = peer.messages.length;
      peer.send(encodeHashRequest('hashRequest', { piecesRoot, ...request }));
      await swarm.until(() => peer.isClosed || peer.messages.slice(before).some(isAnswer), 5_000);
      await swarm.clock.advanceAsync(1_000);
      const answers = peer.messages.slice(before).filter(isAnswer);
      expect(answers).toHaveLength(1);
      return answers[0] ?? expect.fail();
    };
    return { swarm, source, peer, root, ask };
  }

  const isAnswer = ({ type }: { readonly type: string }): boolean => type === 'hashes' || type === 'hash-reject';

  test.each([
    { what: 'all leaves', baseLayer: 0, index: 0, length: 32, proofLayers: 0 },
    { what: 'two leaves and their uncles', baseLayer: 0, index: 6, length: 2, proofLayers: 4 },
    { what: 'leaves of the short last piece', baseLayer: 0, index: 16, length: 4, proofLayers: 4 },
    { what: 'padding', baseLayer: 0, index: 24, length: 8, proofLayers: 4 },
    { what: 'a row between leaves and pieces', baseLayer: 1, index: 4, length: 4, proofLayers: 3 },
    { what: 'the piece layer', baseLayer: 2, index: 0, length: 8, proofLayers: 2 },
    { what: 'one node of the piece layer', baseLayer: 2, index: 4, length: 1, proofLayers: 2 },
    { what: 'a row above it', baseLayer: 3, index: 2, length: 2, proofLayers: 1 },
  ])('for $what are answered with their proof, while choked', async ({ baseLayer, index, length, proofLayers }) => {
    const request = { baseLayer, index, length, proofLayers };
    const { peer, root, ask } = await asked();
    const answer = await ask(request);
    if (answer.type !== 'hashes') expect.fail('refused');
    expect(peer.heard('unchoke')).toBe(0);
    const height = baseLayer;
    const row = answer.hashes.subarray(0, length * 32);
    const uncles = answer.hashes.subarray(length * 32);
    expect(uncles).toHaveLength((5 - height - Math.log2(length)) * 32);
    expect(isProven({ row, height, index, uncles }, root)).toBe(true);
  });

  test.each([
    { what: 'a row above the root', baseLayer: 6, index: 0, length: 2, proofLayers: 0 },
    { what: 'nodes behind the row', baseLayer: 2, index: 8, length: 8, proofLayers: 0 },
    { what: 'more nodes than the row has', baseLayer: 2, index: 0, length: 16, proofLayers: 0 },
    { what: 'a proof that leads above the root', baseLayer: 2, index: 0, length: 8, proofLayers: 3 },
    { what: 'no power of two', baseLayer: 0, index: 0, length: 3, proofLayers: 0 },
    { what: 'an index between two', baseLayer: 0, index: 1, length: 2, proofLayers: 0 },
  ])('for $what are refused, and the peer stays', async ({ baseLayer, index, length, proofLayers }) => {
    const request = { baseLayer, index, length, proofLayers };
    const { peer, ask } = await asked();
    expect((await ask(request)).type).toBe('hash-reject');
    expect((await ask({ baseLayer: 2, index: 0, length: 8, proofLayers: 2 })).type).toBe('hashes');
    expect(peer.isClosed).toBe(false);
  });

  test('for a file we do not know are refused', async () => {
    const { ask } = await asked();
    const answer = await ask({ baseLayer: 0, index: 0, length: 2, proofLayers: 0 }, new Uint8Array(32).fill(5));
    expect(answer.type === 'hash-reject' && toHex(answer.request.piecesRoot)).toBe('05'.repeat(32));
  });

  test('for leaves of pieces we do not hold are refused; layers and held pieces are not', async () => {
    const { ask } = await asked([1]);
    expect((await ask({ baseLayer: 0, index: 4, length: 4, proofLayers: 4 })).type).toBe('hashes');
    expect((await ask({ baseLayer: 0, index: 0, length: 4, proofLayers: 4 })).type).toBe('hash-reject');
    expect((await ask({ baseLayer: 0, index: 0, length: 8, proofLayers: 4 })).type).toBe('hash-reject');
    expect((await ask({ baseLayer: 2, index: 0, length: 8, proofLayers: 2 })).type).toBe('hashes');
  });

  test('for leaves of a piece that rotted in storage are refused: wrong ones would make a liar of us', async () => {
    const { source, ask } = await asked();
    source.bytes[70_000] = (source.bytes[70_000] ?? 0) ^ 1;
    expect((await ask({ baseLayer: 0, index: 4, length: 4, proofLayers: 0 })).type).toBe('hash-reject');
    expect((await ask({ baseLayer: 0, index: 0, length: 4, proofLayers: 0 })).type).toBe('hashes');
  });

  test('of any numbers get exactly one answer each, which proves itself', async () => {
    const { swarm, peer, root } = await asked();
    const random = seededRandom(52);
    const number = (below: number): number => Math.floor(random() * below);
    const requests = Array.from({ length: 400 }, (_, at) => {
      const baseLayer = number(at % 2 === 0 ? 5 : 8);
      const length = at % 3 === 0 ? 1 + number(40) : 2 ** number(Math.max(1, 6 - baseLayer));
      const index = at % 5 === 0 ? number(40) : number(8) * length;
      const proofLayers = at % 2 === 0 ? proofLayersFor(length, 5 - baseLayer) : number(8);
      return { piecesRoot: root, baseLayer, index, length, proofLayers };
    });
    let answered = 0;
    for (const request of requests) {
      peer.send(encodeHashRequest('hashRequest', request));
      await swarm.until(() => peer.messages.filter(isAnswer).length > answered, 5_000);
      answered++;
    }
    await swarm.clock.advanceAsync(1_000);
    const answers = peer.messages.filter(isAnswer);
    expect(answers).toHaveLength(requests.length);
    let proven = 0;
    for (const answer of answers) {
      if (answer.type !== 'hashes') continue;
      const { baseLayer: height, index, length } = answer.request;
      const uncles = answer.hashes.subarray(length * 32);
      if (height + Math.log2(length) + uncles.length / 32 !== 5) continue;
      expect(isProven({ row: answer.hashes.subarray(0, length * 32), height, index, uncles }, root)).toBe(true);
      proven++;
    }
    expect(proven).toBeGreaterThan(10);
  });

  test('beyond what a peer may make us read are refused until later, and a flood ends the connection', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [16 * MIB], MIB);
    const seed = addSeed(swarm, source);
    const node = seed.engine.torrents[0] ?? expect.fail();
    const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
    peer.sayHello({ swarmKey: v2KeyOf(source) }).signal('haveNone');
    const piecesRoot = source.info.files[0]?.piecesRoot ?? expect.fail('no root');
    const request = { piecesRoot, baseLayer: 4, index: 0, length: 64, proofLayers: 0 };
    for (let sent = 0; sent < 400; sent++) peer.send(encodeHashRequest('hashRequest', request));
    await swarm.clock.advanceAsync(20);
    expect(peer.heard('hashes')).toBeGreaterThan(0);
    expect(peer.heard('hash-reject')).toBeGreaterThan(0);
    expect(peer.heard('hashes') + peer.heard('hash-reject')).toBe(400);
    await swarm.clock.advanceAsync(5_000);
    const before = peer.heard('hashes');
    peer.send(encodeHashRequest('hashRequest', request));
    await swarm.clock.advanceAsync(1_000);
    expect(peer.heard('hashes')).toBe(before + 1);
    for (let sent = 0; sent < 5_000; sent++) peer.send(encodeHashRequest('hashRequest', request));
    await swarm.until(() => peer.isClosed, 5_000);
    expect(node.isStopped).toBe(false);
  });
});

describe('peers that lie about hashes', () => {
  /** A peer that has everything and answers hash requests as told. */
  function lurk(swarm: Swarm, source: V2TestTorrent, answer: (request: HashRequest) => Uint8Array | undefined) {
    const machine = swarm.addMachine({ latencyMs: 1 });
    const peers: ScriptedPeer[] = [];
    machine.listen(PEER_PORT, (socket) => {
      const peer = new ScriptedPeer(socket);
      peers.push(peer);
      peer
        .sayHello({ swarmKey: v2KeyOf(source) })
        .signal('haveAll')
        .signal('unchoke');
      peer.onMessage = (message) => {
        if (message.type !== 'hash-request') return;
        const bytes = answer(message.request);
        if (bytes !== undefined) peer.send(bytes);
      };
    });
    return { address: { host: machine.host, port: PEER_PORT }, peers };
  }

  const lies: Record<string, (request: HashRequest) => Uint8Array> = {
    'made-up hashes': (request) => encodeHashes(request, new Uint8Array(request.length * 32).fill(7)),
    'hashes with made-up uncles': (request) => encodeHashes(request, new Uint8Array((request.length + 1) * 32).fill(7)),
  };
  test.each(Object.keys(lies))('with %s are banned, and an honest one is asked', async (lie) => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [3 * MIB], 32 * KIB);
    const liar = lurk(swarm, source, (request) => lies[lie]?.(request));
    const { torrent, storage } = addLeech(swarm, source, false, { peers: [liar.address] });
    await swarm.until(() => liar.peers[0]?.isClosed === true, 20_000);
    expect(torrent.have.isEmpty).toBe(true);
    torrent.addPeers([liar.address, addSeed(swarm, source).address]);
    await swarm.until(() => torrent.isComplete, 60_000);
    expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
    expect(liar.peers).toHaveLength(1);
  });

  test('with nodes of the row above, which lead to the same root, are banned', async () => {
    const swarm = new Swarm();
    // 1,024 pieces: half the layer is asked for, with one uncle.
    const source = await makeTorrentOf('v2', [1_024 * BLOCK], BLOCK);
    const [layer = new Uint8Array()] = source.pieceLayers?.values() ?? [];
    const rowAbove = concatBytes(
      Array.from({ length: 512 }, (_, at) => fold(layer.subarray(at * 64, (at + 1) * 64), 0, 1)),
    );
    const liar = lurk(swarm, source, (request) => encodeHashes(request, rowAbove));
    const { torrent } = addLeech(swarm, source, false, { peers: [liar.address] });
    await swarm.until(() => liar.peers[0]?.isClosed === true, 20_000);
    expect(liar.peers[0]?.requests).toHaveLength(0);
    torrent.addPeers([addSeed(swarm, source).address]);
    await swarm.until(() => torrent.isComplete, 60_000);
  });

  test('are asked for few things at a time', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [6_000 * BLOCK], BLOCK);
    const silent = lurk(swarm, source, () => undefined);
    addLeech(swarm, source, false, { peers: [silent.address] });
    await swarm.clock.advanceAsync(1_000);
    expect(silent.peers[0]?.heard('hash-request')).toBe(4);
  });

  test.each([
    { what: 'silent', answer: () => undefined },
    { what: 'refusing', answer: (request: HashRequest) => encodeHashRequest('hashReject', request) },
  ])('but only $what are left alone, and an honest one is asked', async ({ answer }) => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [3 * MIB], 32 * KIB);
    const idle = lurk(swarm, source, answer);
    const { torrent, storage } = addLeech(swarm, source, false, { peers: [idle.address] });
    await swarm.until(() => (idle.peers[0]?.heard('hash-request') ?? 0) > 0, 20_000);
    torrent.addPeers([addSeed(swarm, source).address]);
    await swarm.until(() => torrent.isComplete, 60_000);
    expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
    expect(idle.peers[0]?.heard('hash-request')).toBeLessThan(20);
  });
});
