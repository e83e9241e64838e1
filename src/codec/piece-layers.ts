/**
 * Piece layers of v2 and hybrid torrents (BEP 52): for each file larger than a piece, the SHA-256 nodes that cover one
 * piece each. Invariant: `VerifiedLayers` exist only for layers that fold to their file's root.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import type { BencodeDict } from './bencode.ts';
import { heightOf, LEAF_BYTES, leafCountOf, rowsAbove } from './merkle.ts';
import type { TorrentFile } from './torrent-files.ts';
import type { TorrentInfo } from './torrent-info.ts';
import { HASH_BYTES } from './wire-hashes.ts';

/** Nodes of one piece each back to back, by the file's root in hex; not yet checked against the roots. */
export type PieceLayers = ReadonlyMap<string, Uint8Array>;

/** Piece layers that `verifyPieceLayers` found to fold to their roots. */
export type VerifiedLayers = PieceLayers & { readonly brand: 'VerifiedLayers' };

type Pieces = Pick<TorrentInfo, 'files' | 'pieceLengthBytes'>;
type LayeredFile = TorrentFile & { readonly piecesRoot: Uint8Array };

/** Reads `piece layers`: one layer of the right length for each file larger than a piece. @throws InvalidInput. */
export function parsePieceLayers(info: Pieces, dict: BencodeDict | undefined): PieceLayers {
  const given = new Map<string, Uint8Array>();
  for (const key of dict?.keys() ?? []) {
    const layer = dict?.bytes(key);
    if (layer) given.set(key, layer);
  }
  const layers = new Map<string, Uint8Array>();
  for (const file of layeredFiles(info)) {
    const layer = given.get(String.fromCharCode(...file.piecesRoot));
    const wanted = Math.ceil(file.lengthBytes / info.pieceLengthBytes) * HASH_BYTES;
    if (layer?.length !== wanted) throw new InvalidInput('piece layer missing or of the wrong length', { wanted });
    layers.set(toHex(file.piecesRoot), layer);
  }
  return layers;
}

/** Folds every layer and compares it with its root; the event loop goes on meanwhile. @throws InvalidInput when one is wrong. */
export async function verifyPieceLayers(info: Pieces, layers: PieceLayers): Promise<VerifiedLayers> {
  const pieceHeight = heightOf(info.pieceLengthBytes / LEAF_BYTES);
  const verified = new Map<string, Uint8Array>();
  for (const file of layeredFiles(info)) {
    const rootHex = toHex(file.piecesRoot);
    const layer = layers.get(rootHex);
    const pieceCount = Math.ceil(file.lengthBytes / info.pieceLengthBytes);
    if (layer?.length !== pieceCount * HASH_BYTES)
      throw new InvalidInput('piece layer missing or of the wrong length', { root: rootHex });
    if (verified.has(rootHex)) continue;
    const rows = await rowsAbove(layer, pieceHeight, heightOf(leafCountOf(file.lengthBytes)));
    if (!equalBytes(rows.at(-1) ?? layer, file.piecesRoot))
      throw new InvalidInput('a piece layer does not belong to its file', { root: rootHex });
    verified.set(rootHex, layer);
  }
  return verified as PieceLayers as VerifiedLayers; // the only cast to VerifiedLayers
}

function layeredFiles(info: Pieces): LayeredFile[] {
  return info.files.filter(
    (file): file is LayeredFile => file.piecesRoot !== undefined && file.lengthBytes > info.pieceLengthBytes,
  );
}
