/**
 * Who got which of a socket's offers, so that answers and candidates find their way and nobody answers what was never
 * offered to it. At most `MAX_ROUTES`, the oldest go first.
 */
import type { SwarmKey } from '../base/ids.ts';
import type { LatinId } from '../codec/tracker-ws.ts';
import type { Answering } from './ports.ts';

const MAX_ROUTES = 256;

export type OfferTarget =
  | { readonly kind: 'peer'; readonly peerId: LatinId }
  | { readonly kind: 'server'; readonly answering: Answering };

/** Routes of the offers that one socket has made. */
export class OfferRoutes {
  readonly #targets = new Map<string, OfferTarget>();

  set(swarmKey: SwarmKey, offerId: LatinId, target: OfferTarget): void {
    const name = swarmKey + offerId;
    this.#targets.delete(name);
    this.#targets.set(name, target);
    if (this.#targets.size <= MAX_ROUTES) return;
    const [oldest] = this.#targets.keys();
    if (oldest !== undefined) this.#targets.delete(oldest);
  }

  get(swarmKey: SwarmKey, offerId: LatinId): OfferTarget | undefined {
    return this.#targets.get(swarmKey + offerId);
  }

  clear(): void {
    this.#targets.clear();
  }
}
