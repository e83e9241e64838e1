/**
 * The names by which encrypted handshakes (MSE) ask for torrents: H('req2'‖info hash), kept beside each torrent so that one
 * indexed look-up finds it. Rows from before the column get theirs after the start, a page at a time. Invariant: a page
 * is small enough that neither the event loop nor the database's writer is held up by it.
 */
import { createHash } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import { throwIfAborted } from '../base/errors.ts';
import { type InfoHashV1, swarmKeyOf } from '../base/ids.ts';
import { obfuscatedKey } from '../codec/mse.ts';
import type { MediaContext } from './context.ts';
import { nameTorrents } from './media-writes.ts';

const PAGE_ROWS = 500;
const crypto = { sha1: (bytes: Uint8Array): Uint8Array => createHash('sha1').update(bytes).digest() };

/** 40 hex digits. */
export function obfuscatedKeyOf(infoHash: InfoHashV1): string {
  return toHex(obfuscatedKey(crypto, swarmKeyOf(infoHash)));
}

/** Names every torrent that has no such name yet; resolves with how many. @throws Cancelled, StorageFailed */
export async function nameOldTorrents(
  { reads, rows }: Pick<MediaContext, 'reads' | 'rows'>,
  signal: AbortSignal,
): Promise<number> {
  let named = 0;
  for (;;) {
    throwIfAborted(signal);
    const page = reads.unnamedTorrents(PAGE_ROWS);
    if (page.length === 0) return named;
    const names = page.map((infoHash) => ({ infoHash, obfuscatedKey: obfuscatedKeyOf(infoHash) }));
    await rows.write(nameTorrents(rows.query, names));
    named += page.length;
  }
}
