/** Hybrids and v2 torrents whose piece layers are not here yet (BEP 52): what can be fetched meanwhile, and in what order. */
import { describe, expect, test } from 'vitest';
import { equalBytes, toHex } from '../../src/base/bytes.ts';
import { HashMismatch } from '../../src/base/errors.ts';
import { swarmKeyOf } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeHashes, encodeHashRequest } from '../../src/codec/wire-encode.ts';
import type { PeerAddress, Torrent } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrentOf, PEER_PORT, Swarm, type V2TestTorrent } from '../support/swarm.ts';
import { addByMagnet, addLeech } from '../support/v2-swarm.ts';

const PIECE = 64 * KIB;

interface Standing {
  readonly address: PeerAddress;
  readonly peers: ScriptedPeer[];
}

/** A peer that greets by a hash of the torrent and does as it is told. */
function stand(swarm: Swarm, source: V2TestTorrent, by: 'v1' | 'v2', act: (peer: ScriptedPeer) => void): Standing {
  const machine = swarm.addMachine({ latencyMs: 1 });
  const peers: ScriptedPeer[] = [];
  machine.listen(PEER_PORT, (socket) => {
    const peer = new ScriptedPeer(socket);
    peers.push(peer);
    act(peer.sayHello({ swarmKey: swarmKeyOf(source.hashes[by] ?? expect.fail()), v2: by === 'v2' }));
  });
  return { address: { host: machine.host, port: PEER_PORT }, peers };
}

/** An old client: it has everything and knows nothing of v2. */
function oldSeed(
  swarm: Swarm,
  source: V2TestTorrent,
  bytes = source.bytes,
  count = Number.POSITIVE_INFINITY,
): Standing {
  return stand(swarm, source, 'v1', (peer) => {
    peer.signal('haveAll').signal('unchoke').serve(bytes, source.info.pieceLengthBytes);
    const serve = peer.onRequest;
    let served = 0;
    peer.onRequest = (request) => void (served++ < count && serve(request));
  });
}

/** It has the layer of the one file and no piece. */
function layerGiver(swarm: Swarm, source: V2TestTorrent): Standing {
  const [layer = expect.fail('no layer')] = source.pieceLayers?.values() ?? [];
  return stand(swarm, source, 'v2', (peer) => {
    peer.signal('haveNone');
    peer.onMessage = (message) => {
      if (message.type === 'hash-request') peer.send(encodeHashes(message.request, layer));
    };
  });
}

function errorOf(torrent: Torrent): { readonly error: Error | undefined } {
  const seen: { error: Error | undefined } = { error: undefined };
  torrent.events.on('error', (error) => (seen.error = error));
  return seen;
}

describe('a hybrid without piece layers', () => {
  test('is fetched from peers that know only v1, and serves hashes to others afterwards, asked of nobody', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [MIB + 5, 300_000, 100, 2 * PIECE], PIECE);
    const old = oldSeed(swarm, source);
    const { node, torrent, storage } = addLeech(swarm, source, false, { peers: [old.address] });
    await swarm.until(() => torrent.isComplete, 60_000);
    expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
    expect(old.peers[0]?.heard('hash-request')).toBe(0);
    const next = addByMagnet(swarm, source, { v2: source.hashes.v2 ?? expect.fail() }, [node]);
    await swarm.until(() => next.torrent.isComplete, 60_000);
    expect(equalBytes(next.storage.bytes, source.bytes)).toBe(true);
  });

  test('takes no wrong piece, whoever verifies it', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [MIB], PIECE);
    const wrong = source.bytes.slice();
    wrong[5 * PIECE + 7] = (wrong[5 * PIECE + 7] ?? 0) ^ 1;
    const liar = oldSeed(swarm, source, wrong);
    const { torrent } = addLeech(swarm, source, false, { peers: [liar.address] });
    await swarm.clock.advanceAsync(30_000);
    expect(torrent.have.has(5)).toBe(false);
    torrent.addPeers([oldSeed(swarm, source).address]);
    await swarm.until(() => torrent.isComplete, 60_000);
  });

  test('whose halves describe different bytes stops with an error once its files are here', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [MIB], PIECE);
    const { other, bytes } = await otherV1(source);
    const { torrent } = addLeech(swarm, other, false, { peers: [oldSeed(swarm, other, bytes).address] });
    const seen = errorOf(torrent);
    await swarm.until(() => seen.error !== undefined, 60_000);
    expect(seen.error).toBeInstanceOf(HashMismatch);
    expect(torrent.isComplete).toBe(false);
  });

  test('whose halves describe different bytes stops with an error as soon as its layers come', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [MIB], PIECE);
    const { other, bytes } = await otherV1(source);
    const slow = oldSeed(swarm, other, bytes, 20);
    const { torrent } = addLeech(swarm, other, false, { peers: [slow.address] });
    const seen = errorOf(torrent);
    await swarm.until(() => torrent.have.count > 1, 60_000);
    expect(seen.error).toBeUndefined();
    torrent.addPeers([layerGiver(swarm, source).address]);
    await swarm.until(() => seen.error !== undefined, 60_000);
    expect(seen.error).toBeInstanceOf(HashMismatch);
  });

  test('goes on with what is under way when its layers come', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [4 * MIB], PIECE);
    const old = stand(swarm, source, 'v1', (peer) => void peer.signal('haveAll').signal('unchoke'));
    const { torrent } = addLeech(swarm, source, false, { peers: [old.address] });
    await swarm.until(() => (old.peers[0]?.requests.length ?? 0) > 3, 5_000);
    const knowing = layerGiver(swarm, source);
    torrent.addPeers([knowing.address]);
    await swarm.until(() => (knowing.peers[0]?.heard('hash-request') ?? 0) > 0, 5_000);
    await swarm.clock.advanceAsync(100);
    expect(old.peers[0]?.heard('cancel')).toBe(0);
  });

  /** The torrent as it would be if its v1 half described other bytes, which they are. */
  async function otherV1(source: V2TestTorrent) {
    const bytes = source.bytes.map((byte) => byte ^ 1);
    const pieces = new Uint8Array(source.info.pieceCount * 20);
    for (let piece = 0; piece < source.info.pieceCount; piece++) {
      const span = bytes.subarray(piece * PIECE, (piece + 1) * PIECE);
      pieces.set(new Uint8Array(await crypto.subtle.digest('SHA-1', span)), piece * 20);
    }
    return { bytes, other: { ...source, info: { ...source.info, pieces } } };
  }
});

describe('piece layers are asked for', () => {
  /** In which order a peer is asked for the layers of the files, and the torrent. */
  async function asked(prepare: (torrent: Torrent) => void = () => undefined) {
    const swarm = new Swarm();
    const source = await makeTorrentOf(
      'v2',
      Array.from({ length: 12 }, () => 5 * PIECE),
      PIECE,
    );
    const files = source.info.files
      .filter(({ isPad }) => !isPad)
      .map(({ piecesRoot }) => toHex(piecesRoot ?? expect.fail()));
    const order: number[] = [];
    const refusing = stand(swarm, source, 'v2', (peer) => {
      peer.signal('haveAll');
      peer.onMessage = (message) => {
        if (message.type !== 'hash-request') return;
        order.push(files.indexOf(toHex(message.request.piecesRoot)));
        peer.send(encodeHashRequest('hashReject', message.request));
      };
    });
    const { torrent } = addLeech(swarm, source, false);
    prepare(torrent);
    torrent.addPeers([refusing.address]);
    await swarm.until(() => new Set(order).size === 12, 10_000);
    return order.slice(0, 12);
  }
  const rest = (...first: readonly number[]): number[] => [
    ...first,
    ...Array.from({ length: 12 }, (_, at) => at).filter((at) => !first.includes(at)),
  ];

  test('in the order of the files', async () => {
    expect(await asked()).toEqual(rest());
  });

  test('of the most wanted files first, and of unwanted ones last', async () => {
    const order = await asked((torrent) => {
      torrent.prioritize([
        { first: 0, last: 3, priority: 'skip' },
        { first: 9, last: 10, priority: 'high' },
      ]);
    });
    expect(order).toEqual([9, 10, 4, 5, 6, 7, 8, 11, 0, 1, 2, 3]);
  });

  test('of what a reader waits for before all others', async () => {
    const order = await asked((torrent) => {
      const reader = torrent.read({ start: 8 * 5 * PIECE, endExclusive: 8 * 5 * PIECE + 100 }).getReader();
      reader.read().catch(() => undefined);
    });
    expect(order).toEqual(rest(8));
  });
});
