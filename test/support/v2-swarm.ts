/** Seeds and leechers of v2 and hybrid torrents in a simulated swarm (BEP 52). */
import { expect } from 'vitest';
import { swarmKeyOf, type SwarmKey } from '../../src/base/ids.ts';
import type { InfoHashes } from '../../src/codec/metainfo.ts';
import type { TorrentOptions } from '../../src/torrent/index.ts';
import type { PieceStorage } from '../../src/torrent/ports.ts';
import { MemoryStorage, type Node, type Swarm, type V2TestTorrent } from './swarm.ts';

export function v2KeyOf({ hashes }: V2TestTorrent): SwarmKey {
  return swarmKeyOf(hashes.v2 ?? expect.fail('no v2 hash'));
}

export function addSeed(
  swarm: Swarm,
  source: V2TestTorrent,
  options: Partial<TorrentOptions> & { readonly storage?: PieceStorage } = {},
): Node {
  const node = swarm.addNode({ latencyMs: 5 });
  node.engine.add({
    ...source.hashes,
    info: source.info,
    ...(source.pieceLayers && { pieceLayers: source.pieceLayers }),
    storage: new MemoryStorage(source.bytes),
    have: 'all',
    ...options,
  });
  return node;
}

/** A leecher that has the .torrent; `layers` false: only its info dictionary. */
export function addLeech(swarm: Swarm, source: V2TestTorrent, layers: boolean, options: Partial<TorrentOptions> = {}) {
  const node = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = node.engine.add({
    ...source.hashes,
    info: source.info,
    ...(layers && source.pieceLayers && { pieceLayers: source.pieceLayers }),
    storage,
    have: 'none',
    ...options,
  });
  return { node, storage, torrent };
}

export function addByMagnet(swarm: Swarm, source: V2TestTorrent, hashes: InfoHashes, peers: readonly Node[]) {
  const node = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = node.engine.addByHash({
    ...hashes,
    peers: peers.map(({ address }) => address),
    openStorage: async () => ({ storage, have: 'none' }),
  });
  return { node, storage, torrent };
}
