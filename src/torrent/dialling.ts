/**
 * Connections being opened, for all torrents together. Invariants: never more than the caps allow; each dial is work of its
 * torrent and ends with it, and none begins once the torrent or the engine is stopped.
 */
import { TimedOut } from '../base/errors.ts';
import { SECOND_MS } from '../base/units.ts';
import { DialOrder } from './crowd/dial-order.ts';
import type { DialOrigin } from './greetings.ts';
import type { Shared } from './limits/shared.ts';
import type { PeerAddress, PeerSocket, TransportKind } from './ports.ts';
import type { Transfer } from './transfer.ts';

/** For each transport that is tried. */
const DIAL_TIMEOUT_MS = 10 * SECOND_MS;

export interface DiallingHost {
  readonly shared: Shared;
  /** Whether one more connection fits the global cap. */
  mayOpen(): boolean;
  /** The connection is there: our handshake may leave. */
  opened(socket: PeerSocket, origin: DialOrigin): void;
}

export class Dialling {
  readonly #host: DiallingHost;
  readonly #order = new DialOrder();
  #count = 0;

  constructor(host: DiallingHost) {
    this.#host = host;
  }

  /** Connections being opened now. */
  get count(): number {
    return this.#count;
  }

  /** Opens a connection; false when too many are being opened. Failures come back through `crowd.dialEnded`. */
  dial(transfer: Transfer, address: PeerAddress): boolean {
    if (this.#host.shared.ports.dialers.length === 0 || !this.#host.mayOpen()) return false;
    return this.#open({ transfer, dialled: address, isOutgoing: true });
  }

  /** For a plain handshake, at once, where the place of the connection that just ended is not needed; else false. */
  dialAgain(transfer: Transfer, address: PeerAddress): boolean {
    if (!this.#host.mayOpen()) return false;
    return this.#open({ transfer, dialled: address, isOutgoing: true, isPlainRetry: true });
  }

  /** A connection that was opened has made its handshakes, or (false) has ended before. */
  ended(address: PeerAddress, transport: TransportKind, isGreeted: boolean): void {
    if (isGreeted) this.#order.greeted(address, transport);
    else this.#order.cameToNothing(address, transport);
  }

  #open(origin: DialOrigin): boolean {
    const { transfer, dialled } = origin;
    if (this.#count >= this.#host.shared.limits.maxHalfOpen) return false;
    return transfer.run('engine.dial', async (signal) => {
      this.#count++;
      const socket = await this.#openSocket(dialled, signal).finally(() => this.#count--);
      if (socket === undefined) transfer.crowd.dialEnded(dialled);
      else if (signal.aborted) socket.close();
      else this.#host.opened(socket, origin);
    });
  }

  /** Tries one dialer after the other, until the torrent stops. */
  async #openSocket(address: PeerAddress, signal: AbortSignal): Promise<PeerSocket | undefined> {
    const { dialers, clock, log } = this.#host.shared.ports;
    for (const dialer of this.#order.of(dialers, address)) {
      if (signal.aborted) return undefined;
      const late = new AbortController();
      const cancelTimer = clock.after(DIAL_TIMEOUT_MS, () => late.abort(new TimedOut('dialling took too long')));
      try {
        return await dialer.dial(address, AbortSignal.any([signal, late.signal]));
      } catch (error) {
        log.debug('peer.dial_failed', { transport: dialer.transport, error });
      } finally {
        cancelTimer();
      }
    }
    return undefined;
  }
}
