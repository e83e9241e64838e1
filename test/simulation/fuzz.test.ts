/** Peers that talk nonsense, by the thousand, the same in every run: no fault of ours, nothing left, others served. */
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { parseInfoHashV1, swarmKeyOf } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeExtended } from '../../src/codec/wire-encode.ts';
import { seededBytes, seededRandom } from '../support/random-bytes.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrent, MemoryStorage, Swarm } from '../support/swarm.ts';

const PIECE = 64 * KIB;

/** A message that is well framed, of a plausible length, with arbitrary content. */
function nonsense(random: () => number, seed: string): Uint8Array {
  const id = Math.floor(random() * 26);
  const usual = [0, 0, 0, 0, 4, 2, 12, 8 + 16 * KIB, 12, 2, 0, 0, 0, 4, 0, 0, 12, 4, 0, 0, 30, 48, 80, 48];
  const length = random() < 0.8 ? (usual[id] ?? 5) : Math.floor(random() * 300);
  const message = new Uint8Array(5 + length);
  new DataView(message.buffer).setUint32(0, length + 1);
  message[4] = id;
  const body = seededBytes(seed, length);
  // Small numbers reach deeper than random ones.
  if (random() < 0.7)
    for (let at = 0; at < Math.min(12, length); at++) body[at] = at % 4 === 3 ? (body[at] ?? 0) & 15 : 0;
  message.set(body, 5);
  return message;
}

function bencodedNonsense(random: () => number, seed: string): Uint8Array {
  const texts = [
    'd1:md11:ut_metadatai1e6:ut_pexi2eee',
    'd8:msg_typei0e5:piecei0ee',
    'd8:msg_typei1e5:piecei0e10:total_sizei9eexxxxxxxxx',
  ];
  const text = texts[Math.floor(random() * texts.length)] ?? '';
  const bytes = new TextEncoder().encode(text);
  const spoiled = seededBytes(seed, 2);
  if (random() < 0.5) bytes[(spoiled[0] ?? 0) % bytes.length] = spoiled[1] ?? 0;
  return encodeExtended(Math.floor(random() * 5), bytes);
}

test.each([1, 2, 3])(
  'nonsense from 120 peers (series %i) ends their connections at most, and the download is right',
  async (series) => {
    const random = seededRandom(series);
    const swarm = new Swarm(series);
    const source = await makeTorrent(2 * MIB, PIECE);
    const { v1 = parseInfoHashV1('') } = source.hashes;
    const swarmKey = swarmKeyOf(v1);
    const seed = swarm.addNode({ latencyMs: 2, uploadBytesPerSecond: 256 * KIB });
    seed.engine.add({ ...source.hashes, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
    const node = swarm.addNode({ latencyMs: 2 });
    const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
    const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have: 'none' });
    torrent.addPeers([seed.address]);
    let ended = 0;
    for (let at = 0; at < 120; at++) {
      const peer = new ScriptedPeer(await swarm.addMachine().dial(node.address));
      peer.sayHello({ swarmKey, fast: random() < 0.7, extensions: random() < 0.7 });
      for (let count = 0; count < 1 + random() * 12; count++) {
        const name = `${series}/${at}/${count}`;
        peer.send(random() < 0.75 ? nonsense(random, name) : bencodedNonsense(random, name));
      }
      await swarm.clock.advanceAsync(20);
      if (peer.isClosed) ended++;
      else peer.socket.close();
    }
    await swarm.until(() => torrent.isComplete);
    expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
    expect(ended).toBeGreaterThan(60);
    await Promise.all([node.engine.stop(), seed.engine.stop()]);
    await swarm.clock.advanceAsync(1_000);
    expect(node.engine.bufferBytes).toBe(0);
    expect(swarm.network.openSockets).toBe(0);
    expect(swarm.clock.pending).toBe(0);
  },
);
