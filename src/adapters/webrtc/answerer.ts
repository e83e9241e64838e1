/**
 * Answers WebRTC offers, as the server's own seeder does for browsers. Never offers, never announces. Holds a reference
 * to every connection, because the native library forgets those that JavaScript has forgotten.
 */
import type { IceCandidate } from '../../codec/tracker-ws.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import { RtcConnection, type RtcOptions, type Signalling } from './connection.ts';
import { LiveConnections } from './live-connections.ts';

const DEFAULT_MAX_CONNECTIONS = 200;

export interface RtcAnswererOptions extends RtcOptions {
  /** Connections open and being opened. */
  readonly maxConnections?: number;
  /** Takes over each open stream. */
  readonly accept: (socket: PeerSocket) => void;
}

export interface PeerOffer extends Signalling {
  readonly sdp: string;
}

/** The way back to the peer that offered. */
export interface AnswerSink {
  answer(sdp: string): void;
  /** Only called for peers that trickle. */
  candidate(candidate: IceCandidate): void;
  /** The connection is over, or came to nothing; the last call. */
  closed?(): void;
}

/** What may still come from the peer that offered. */
export interface Answering {
  addCandidate(candidate: IceCandidate): void;
  close(): void;
}

export class RtcAnswerer {
  readonly #options: RtcAnswererOptions;
  readonly #live: LiveConnections;

  constructor(options: RtcAnswererOptions) {
    this.#options = options;
    this.#live = new LiveConnections(options.maxConnections ?? DEFAULT_MAX_CONNECTIONS);
  }

  /** Connections open and being opened. */
  get connections(): number {
    return this.#live.size;
  }

  /** @throws InvalidInput for a broken offer, Unavailable at the cap or after `stop`. */
  answer(offer: PeerOffer, sink: AnswerSink): Answering {
    this.#live.demandRoom();
    const connection = new RtcConnection(offer, this.#options, {
      description: (sdp) => sink.answer(sdp),
      candidate: (candidate) => sink.candidate(candidate),
      open: (socket) => this.#options.accept(socket),
      closed: (cause) => {
        this.#live.delete(connection);
        this.#options.log.debug('webrtc.closed', { cause });
        sink.closed?.();
      },
    });
    this.#live.add(connection);
    connection.answer(offer.sdp);
    return connection;
  }

  /** Closes every connection; resolves when the native library has let go of them. */
  stop(): Promise<void> {
    return this.#live.stop();
  }
}
