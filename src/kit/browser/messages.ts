/** What `PageSwarm` and `WorkerSwarm` say to each other, in an envelope of its own beside the messages of the program. */
import type { LinkMessage, LinkReport } from '../../adapters/browser/link-messages.ts';
import type { LatinId } from '../../codec/tracker-ws.ts';

/** Worker → page. */
export type FromWorker = { readonly kind: 'hello'; readonly peerId: LatinId } | LinkReport;

/** The worker's message to its page; undefined for one of the program's own. */
export function fromWorker(data: unknown): FromWorker | undefined {
  return inside(data) as FromWorker | undefined;
}

/** The page's message to its worker; undefined for one of the program's own. */
export function fromPage(data: unknown): LinkMessage | undefined {
  return inside(data) as LinkMessage | undefined;
}

export function sealed(message: LinkMessage | FromWorker): { readonly seedbedSwarm: typeof message } {
  return { seedbedSwarm: message };
}

/** Only the other end of this kit writes the field, so what is in it is what that end sends. */
function inside(data: unknown): unknown {
  return typeof data === 'object' && data !== null && 'seedbedSwarm' in data ? data.seedbedSwarm : undefined;
}
