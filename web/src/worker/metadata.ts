/** A medium's info dictionary: from the server's .torrent, or as peers sent it; believed only when it is this medium's. */
import { HashMismatch, NotFound } from '../../../src/base/errors.ts';
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';
import { canonicalSha256Of } from '../../../src/codec/canonical.ts';
import { infoHashV1Of, MAX_METAINFO_BYTES, parseMetainfo } from '../../../src/codec/metainfo.ts';
import type { TorrentInfo } from '../../../src/codec/torrent-info.ts';

/** The server answers from memory; whoever takes longer is replaced by peers. */
const FETCH_TIMEOUT_MS = 4_000;

/** Fetches and checks a .torrent. @throws NotFound, InvalidInput, HashMismatch, or the error of `fetch` */
export async function fetchInfo(url: string, infoHash: InfoHashV1, signal: AbortSignal): Promise<TorrentInfo> {
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]) });
  const length = Number(response.headers.get('content-length') ?? 0);
  if (!response.ok || length > MAX_METAINFO_BYTES) {
    await response.body?.cancel();
    throw new NotFound('the server has no such torrent', { status: response.status });
  }
  const { info } = parseMetainfo(new Uint8Array(await response.arrayBuffer()));
  if ((await infoHashV1Of(info.rawInfo)) !== infoHash) throw new HashMismatch('the server sent another torrent');
  return info;
}

/** A medium's torrent is the canonical one of its sha256. @throws HashMismatch for any other */
export function checkCanonical(info: TorrentInfo, sha256: Sha256): void {
  if (canonicalSha256Of(info) !== sha256)
    throw new HashMismatch('the torrent is not the one of this medium', { sha256 });
}
