/** What the leading tab's page and its swarm worker say to each other, besides what `link-messages.ts` has. */
import type { LinkMessage, LinkReport } from '../../../src/adapters/browser/link-messages.ts';
import type { LatinId } from '../../../src/codec/tracker-ws.ts';
import type { StreamOffer } from './stream-protocol.ts';
import type { SwarmStatus } from './types.ts';

export type PageMessage =
  | { readonly kind: 'start'; readonly peerId: LatinId }
  | LinkMessage
  | { readonly kind: 'tracker'; readonly tracker: SwarmStatus['tracker']; readonly connections: number }
  | StreamOffer
  /** Save, close every file, say `stopped`. */
  | { readonly kind: 'stop' };

export type WorkerReport =
  | { readonly kind: 'started' }
  /** It cannot start: storage is blocked, or the like. */
  | { readonly kind: 'failed'; readonly reason: string }
  | LinkReport
  | { readonly kind: 'stopped' };
