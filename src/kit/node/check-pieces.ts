/** Which pieces of a v1 torrent are already right on the disk. Reads everything once; hashing runs off this thread. */
import { equalBytes } from '../../base/bytes.ts';
import { throwIfAborted } from '../../base/errors.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { pieceBytesAt, pieceSha1At, type TorrentInfo } from '../../codec/torrent-info.ts';
import type { PieceStorage } from '../../torrent/index.ts';

/** Pieces read and hashed at once. */
const IN_FLIGHT = 4;

/** `checked` hears the bytes looked at so far. @throws Cancelled, StorageFailed */
export async function checkPieces(
  info: TorrentInfo,
  storage: PieceStorage,
  signal: AbortSignal,
  checked: (checkedBytes: number) => void,
): Promise<Bitfield> {
  const have = new Bitfield(info.pieceCount);
  let next = 0;
  let checkedBytes = 0;
  const work = async (): Promise<void> => {
    const buffer = new Uint8Array(info.pieceLengthBytes);
    while (next < info.pieceCount) {
      throwIfAborted(signal);
      const piece = next++;
      const bytes = buffer.subarray(0, pieceBytesAt(info, piece));
      await storage.read([bytes], piece * info.pieceLengthBytes);
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes));
      if (equalBytes(digest, pieceSha1At(info, piece))) have.set(piece);
      checked((checkedBytes += bytes.length));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return have;
}
