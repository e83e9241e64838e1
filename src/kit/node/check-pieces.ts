/** Which pieces of a torrent are already right on the disk. Reads everything once; hashing runs off this thread. */
import { nodeHasher } from '../../adapters/node-crypto/hasher.ts';
import { throwIfAborted } from '../../base/errors.ts';
import type { VerifiedLayers } from '../../codec/piece-layers.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { pieceBytesAt, type TorrentInfo } from '../../codec/torrent-info.ts';
import { HashTrees, type PieceStorage, verifierFor } from '../../torrent/index.ts';

/** Pieces read and hashed at once. */
const IN_FLIGHT = 4;

/** `checked` hears the bytes looked at so far. Pieces whose hash is not known, because it is in layers that are not given, count as missing. @throws Cancelled, StorageFailed, HashMismatch */
export async function checkPieces(
  info: TorrentInfo,
  storage: PieceStorage,
  signal: AbortSignal,
  checked: (checkedBytes: number) => void,
  pieceLayers?: VerifiedLayers,
): Promise<Bitfield> {
  const trees = info.version === 'v1' ? undefined : new HashTrees(info, pieceLayers);
  const verifier = verifierFor(info, trees, nodeHasher);
  const have = new Bitfield(info.pieceCount);
  let next = 0;
  let checkedBytes = 0;
  const work = async (): Promise<void> => {
    const buffer = new Uint8Array(info.pieceLengthBytes);
    while (next < info.pieceCount) {
      throwIfAborted(signal);
      const piece = next++;
      const span = buffer.subarray(0, pieceBytesAt(info, piece));
      checked((checkedBytes += span.length));
      if (!verifier.knows(piece)) continue;
      await storage.read([span], piece * info.pieceLengthBytes);
      if (await verifier.isValid(piece, span)) have.set(piece);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return have;
}
