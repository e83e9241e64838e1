/**
 * Makes WebRTC offers: the command line's side of a meeting with browsers and other Seedbeds. Callers offer again when a
 * meeting fails: the native library checks the peer's certificate against an answer it may still be storing, and where
 * the network is faster than that (one machine) some offers end as `failed`. Our own answerer waits for the offerer's first
 * packet (see connection.ts), so with it there is no such race.
 */
import { Cancelled, throwIfAborted } from '../../base/errors.ts';
import type { IceCandidate } from '../../codec/tracker-ws.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import type { AddressFilter } from './candidates.ts';
import { RtcConnection, type RtcOptions } from './connection.ts';
import { LiveConnections } from './live-connections.ts';

const DEFAULT_MAX_CONNECTIONS = 50;

export interface RtcOffererOptions extends RtcOptions {
  /** Connections open and being opened, unanswered offers included. */
  readonly maxConnections?: number;
}

export interface RtcOffer {
  readonly sdp: string;
  /** Resolves with the open stream. @throws TimedOut, Unavailable, Cancelled */
  readonly socket: Promise<PeerSocket>;
  /** @throws InvalidInput for a broken answer; the offer is void then. */
  acceptAnswer(sdp: string): void;
  addCandidate(candidate: IceCandidate): void;
  /** Withdraws an offer that nobody answered. */
  close(): void;
}

export class RtcOfferer {
  readonly #options: RtcOffererOptions;
  readonly #live: LiveConnections;

  constructor(options: RtcOffererOptions) {
    this.#options = options;
    this.#live = new LiveConnections(options.maxConnections ?? DEFAULT_MAX_CONNECTIONS);
  }

  get connections(): number {
    return this.#live.size;
  }

  /**
   * With `candidate` the description leaves at once and candidates follow; without it the description is complete.
   * `allows`: which addresses the peer that answers may name. @throws Unavailable at the cap, Cancelled.
   */
  async offer(
    signal: AbortSignal,
    allows: AddressFilter,
    candidate?: (candidate: IceCandidate) => void,
  ): Promise<RtcOffer> {
    throwIfAborted(signal);
    this.#live.demandRoom();
    const described = Promise.withResolvers<string>();
    const opened = Promise.withResolvers<PeerSocket>();
    opened.promise.catch(() => undefined); // an offer that nobody answers may fail unheard
    const connection = new RtcConnection({ trickle: candidate !== undefined, allows }, this.#options, {
      description: described.resolve,
      candidate: (local) => candidate?.(local),
      open: opened.resolve,
      closed: (cause) => {
        this.#live.delete(connection);
        const failure = cause ?? new Cancelled('closed');
        described.reject(failure);
        opened.reject(failure);
      },
    });
    this.#live.add(connection);
    connection.offer();
    const abort = (): void => connection.close();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const sdp = await described.promise;
      return {
        sdp,
        socket: opened.promise,
        acceptAnswer: (answer) => connection.acceptAnswer(answer),
        addCandidate: (remote) => connection.addCandidate(remote),
        close: abort,
      };
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Closes every connection; resolves when the native library has let go of them. */
  stop(): Promise<void> {
    return this.#live.stop();
  }
}
