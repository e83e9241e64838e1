/**
 * What a page that holds peer connections and the worker that speaks over them say to each other: connections go in,
 * wishes for peers come out. RTCPeerConnection exists only in pages; its data channels may be moved to a worker.
 */
import type { SwarmKey } from '../../base/ids.ts';

/** Names one connection. */
export type LinkId = number;

/** What the engine says of a torrent it has joined. */
export interface SwarmWish {
  /** Pieces are missing and somebody wants them. */
  readonly wantsPeers: boolean;
  /** Undefined before the metadata are known. */
  readonly leftBytes: number | undefined;
  readonly downloadedBytes: number;
  readonly uploadedBytes: number;
}

/** Page → worker. */
export type LinkMessage =
  /** The channel is transferred, or relayed over the transferred port where it cannot be. */
  | { readonly kind: 'channel'; readonly link: LinkId; readonly key: SwarmKey; readonly channel: RTCDataChannel }
  | { readonly kind: 'relay'; readonly link: LinkId; readonly key: SwarmKey; readonly port: MessagePort }
  /** The other side takes messages of so many bytes. */
  | { readonly kind: 'link-open'; readonly link: LinkId; readonly maxMessageBytes: number }
  | { readonly kind: 'link-ended'; readonly link: LinkId };

/** Worker → page. */
export type LinkReport =
  | { readonly kind: 'wish'; readonly key: SwarmKey; readonly wish: SwarmWish }
  | { readonly kind: 'leave'; readonly key: SwarmKey }
  /** The engine is done with the connection. */
  | { readonly kind: 'link-done'; readonly link: LinkId };
