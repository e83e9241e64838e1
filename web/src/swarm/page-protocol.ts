/** What the leading tab's page and its swarm worker say to each other: connections go in, wishes for peers come out. */
import type { SwarmKey } from '../../../src/base/ids.ts';
import type { LatinId } from '../../../src/codec/tracker-ws.ts';
import type { StreamOffer } from './stream-protocol.ts';
import type { SwarmStatus } from './types.ts';

/** Names one connection towards the worker. */
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

export type PageMessage =
  | { readonly kind: 'start'; readonly peerId: LatinId }
  /** The channel is transferred, or relayed over the transferred port where it cannot be. */
  | { readonly kind: 'channel'; readonly link: LinkId; readonly key: SwarmKey; readonly channel: RTCDataChannel }
  | { readonly kind: 'relay'; readonly link: LinkId; readonly key: SwarmKey; readonly port: MessagePort }
  | { readonly kind: 'link-ended'; readonly link: LinkId }
  | { readonly kind: 'tracker'; readonly tracker: SwarmStatus['tracker']; readonly connections: number }
  | StreamOffer
  /** Save, close every file, say `stopped`. */
  | { readonly kind: 'stop' };

export type WorkerReport =
  | { readonly kind: 'started' }
  /** It cannot start: storage is blocked, or the like. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'wish'; readonly key: SwarmKey; readonly wish: SwarmWish }
  | { readonly kind: 'leave'; readonly key: SwarmKey }
  /** The engine is done with the connection. */
  | { readonly kind: 'link-done'; readonly link: LinkId }
  | { readonly kind: 'stopped' };
