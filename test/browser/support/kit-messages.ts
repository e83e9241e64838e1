/** What `kit-page.ts` and `kit-worker.ts` say to each other. */
import type { TorrentFormat } from '../../../src/codec/make-info.ts';

/** How files are seeded. */
export interface SeedWish {
  readonly name?: string;
  readonly format?: TorrentFormat;
  readonly pieceLengthBytes?: number;
}

/** Page → worker. `source`: a magnet link, or a .torrent file in hex. */
export type KitCall = { readonly id: number } & (
  | { readonly kind: 'seed'; readonly files: readonly File[]; readonly wish: SeedWish }
  | { readonly kind: 'fetch'; readonly source: string }
);

/** What is handed out of a torrent. */
export interface SeededLinks {
  readonly magnet: string;
  readonly metainfoHex: string;
}

/** The links of what is seeded, or path and text of each file that was fetched. */
export type KitAnswer = SeededLinks | readonly (readonly [string, string])[];

/** Worker → page. */
export interface KitDone {
  readonly id: number;
  readonly result?: KitAnswer;
  readonly problem?: string;
}
