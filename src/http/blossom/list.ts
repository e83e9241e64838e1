/** Pages of `GET /list/<pubkey>`: Blossom continues after a sha256, media after a cursor of its own. */
import type { Pubkey, Sha256 } from '../../base/ids.ts';
import type { Medium } from '../../media/medium.ts';
import type { MediaLists } from '../ports.ts';

/** Media give pages of at most so many. */
const PAGE = 200;
/** Beyond this the cursor is not looked for: 20,000 blobs. */
const MAX_PAGES = 100;

export interface BlossomPage {
  readonly owner: Pubkey;
  /** Last sha256 of the page before; excluded. */
  readonly after: Sha256 | undefined;
  readonly limit: number;
}

/** What the owner keeps, newest first; empty when `after` is not among it. */
export function listAfter(media: MediaLists, { owner, after, limit }: BlossomPage): Medium[] {
  const found: Medium[] = [];
  let isPast = after === undefined;
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { media: batch, nextCursor } = media.list({ owner, cursor, limit: PAGE });
    for (const medium of batch) {
      if (isPast) found.push(medium);
      if (found.length === limit) return found;
      isPast ||= medium.sha256 === after;
    }
    if (nextCursor === undefined) return found;
    cursor = nextCursor;
  }
  return found;
}
