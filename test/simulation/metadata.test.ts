/** A magnet among peers that have no wish to let it have its info dictionary, or are slow. */
import { expect, test } from 'vitest';
import { KIB, MIB, SECOND_MS } from '../../src/base/units.ts';
import { decodeMetadataMessage, encodeMetadataMessage, METADATA_PIECE_BYTES } from '../../src/codec/extension.ts';
import { encodeExtended } from '../../src/codec/wire-encode.ts';
import type { ScriptedPeer } from '../support/scripted-peer.ts';
import { lurk, PIECE } from '../support/strangers.ts';
import { makeTorrent, MemoryStorage, seedOn, Swarm, type TestTorrent } from '../support/swarm.ts';

/** Under this number we ask the scripted peer. */
const ASKED_AS = 9;

async function magnet(sizeBytes: number, pieceLengthBytes: number) {
  const swarm = new Swarm();
  const source = await makeTorrent(sizeBytes, pieceLengthBytes);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(sizeBytes));
  const openStorage = async () => ({ storage, have: 'none' }) as const;
  const torrent = leech.engine.addByHash({ ...source.hashes, mode: 'on-demand', openStorage });
  return { swarm, source, torrent };
}

/** A peer that offers a dictionary of this size, and has `asked` called for each piece it is asked for. */
function offering(
  swarm: Swarm,
  source: TestTorrent,
  sizeBytes: number,
  asked: (peer: ScriptedPeer, at: number) => void,
) {
  return lurk(swarm, source, (peer) => {
    peer.sayExtensions({ extensions: { ut_metadata: ASKED_AS }, metadataBytes: sizeBytes });
    peer.onMessage = (message) => {
      if (message.type !== 'extended' || message.extensionId !== ASKED_AS) return;
      const request = decodeMetadataMessage(message.payload);
      if (request?.type === 'request') asked(peer, request.piece);
    };
  });
}

function give(peer: ScriptedPeer, piece: number, rawInfo: Uint8Array): void {
  const bytes = rawInfo.subarray(piece * METADATA_PIECE_BYTES, (piece + 1) * METADATA_PIECE_BYTES);
  peer.send(encodeExtended(1, encodeMetadataMessage({ type: 'data', piece, totalBytes: rawInfo.length, bytes })));
}

test.each([
  { drip: 'the same piece again and again', pieceOf: () => 0, everyMs: 4 * SECOND_MS, limitMs: 20 * SECOND_MS },
  {
    drip: 'a new piece every nine seconds',
    pieceOf: (n: number) => n,
    everyMs: 9 * SECOND_MS,
    limitMs: 90 * SECOND_MS,
  },
])('three peers that send $drip do not keep a magnet from the fourth', async ({ pieceOf, everyMs, limitMs }) => {
  const { swarm, source, torrent } = await magnet(MIB, PIECE);
  const claimed = new Uint8Array(8 * MIB);
  const drip = (peer: ScriptedPeer, sent: number): void => {
    give(peer, pieceOf(sent), claimed);
    swarm.clock.after(everyMs, () => drip(peer, sent + 1));
  };
  const hostile = Array.from({ length: 3 }, () =>
    offering(swarm, source, claimed.length, (peer, piece) => {
      if (piece === 0 && peer.messages.filter(({ type }) => type === 'extended').length <= 2) drip(peer, 0);
    }),
  );
  torrent.addPeers(hostile.map(({ address }) => address));
  await swarm.until(() => hostile.every(({ peers }) => (peers[0]?.heard('extended') ?? 0) > 16));
  const seed = swarm.addNode({ latencyMs: 1 });
  seedOn(seed, source);
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.info !== undefined, limitMs);
});

test('a piece of metadata sent twice ends the transfer: its sender is not asked again', async () => {
  const { swarm, source, torrent } = await magnet(MIB, PIECE);
  const claimed = new Uint8Array(8 * MIB);
  const hostile = offering(swarm, source, claimed.length, (peer, piece) => {
    if (piece === 0) for (let copy = 0; copy < 2; copy++) give(peer, 0, claimed);
  });
  torrent.addPeers([hostile.address]);
  await swarm.clock.advanceAsync(SECOND_MS);
  const [peer] = hostile.peers;
  const heard = peer?.heard('extended');
  for (let piece = 1; piece < 8; piece++) if (peer !== undefined) give(peer, piece, claimed);
  await swarm.clock.advanceAsync(60 * SECOND_MS);
  expect(peer?.heard('extended')).toBe(heard);
});

test('the only peer with the metadata gets another turn when it was slow, and its late answers are no offence', async () => {
  const { swarm, source, torrent } = await magnet(16 * MIB, 16 * KIB);
  const { rawInfo } = source.info;
  expect(rawInfo.length).toBeGreaterThan(METADATA_PIECE_BYTES);
  // After twelve seconds, when the second turn has begun, the answers to both come at once.
  const slow = offering(swarm, source, rawInfo.length, (peer, piece) => {
    const isSecondTurn = peer.messages.filter(({ type }) => type === 'extended').length > 3;
    if (isSecondTurn) return;
    swarm.clock.after(12 * SECOND_MS, () => {
      give(peer, piece, rawInfo);
      give(peer, piece, rawInfo);
    });
  });
  torrent.addPeers([slow.address]);
  await swarm.until(() => torrent.info !== undefined, 15 * SECOND_MS);
});
