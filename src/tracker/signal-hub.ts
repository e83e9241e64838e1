/**
 * The WebSocket tracker: introduces browsers to each other and to the server's own seeder (WebTorrent's protocol, with
 * trickled candidates between peers that announced them). A session per socket; the hub holds what sessions share.
 */
import type { Clock } from '../base/clock.ts';
import { RateLimited } from '../base/errors.ts';
import { silentLog, type Log } from '../base/log.ts';
import type { Rate } from '../base/token-bucket.ts';
import type { LatinId } from '../codec/tracker-ws.ts';
import type { OwnAnswerer, SignalSocket } from './ports.ts';
import type { SwarmRegistry } from './registry.ts';
import { SignalSession } from './signal-session.ts';

export interface SignalLimits {
  /** Swarms one socket may be in. */
  readonly maxSwarmsPerSocket: number;
  /** Sockets of one IP address. */
  readonly maxSocketsPerAddress: number;
  /** Messages of one socket; long ones count more. */
  readonly messages: Rate;
  /** A socket with more bytes waiting gets no relays. */
  readonly maxBufferedBytes: number;
}

export const DEFAULT_SIGNAL_LIMITS: SignalLimits = {
  maxSwarmsPerSocket: 1_000,
  maxSocketsPerAddress: 500,
  // A page that seeds 1,000 torrents announces them all at once when it opens, then one by one over the interval.
  messages: { capacity: 3_000, perSecond: 60 },
  maxBufferedBytes: 1024 * 1024,
};

export interface SignalHubOptions {
  readonly registry: SwarmRegistry;
  readonly clock: Clock;
  readonly log?: Log;
  readonly answerer?: OwnAnswerer;
  /** Under which the server's own seeder answers. */
  readonly ownPeerId: LatinId;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly limits?: Partial<SignalLimits>;
}

export class SignalHub {
  readonly registry: SwarmRegistry;
  readonly clock: Clock;
  readonly log: Log;
  readonly answerer: OwnAnswerer | undefined;
  readonly ownPeerId: LatinId;
  readonly random: () => number;
  readonly limits: SignalLimits;
  readonly #socketsByHost = new Map<string, number>();
  #sockets = 0;

  constructor(options: SignalHubOptions) {
    this.registry = options.registry;
    this.clock = options.clock;
    this.log = options.log ?? silentLog;
    this.answerer = options.answerer;
    this.ownPeerId = options.ownPeerId;
    this.random = options.random ?? Math.random;
    this.limits = { ...DEFAULT_SIGNAL_LIMITS, ...options.limits };
  }

  /** Open sockets. */
  get sockets(): number {
    return this.#sockets;
  }

  /** Takes a socket that has just opened. @throws RateLimited when its address has too many, InvalidInput for no address. */
  connect(socket: SignalSocket): SignalSession {
    const ofHost = this.#socketsByHost.get(socket.remoteHost) ?? 0;
    if (ofHost >= this.limits.maxSocketsPerAddress)
      throw new RateLimited('too many sockets from this address', { sockets: ofHost });
    const session = new SignalSession(this, socket, () => this.#release(socket.remoteHost));
    this.#socketsByHost.set(socket.remoteHost, ofHost + 1);
    this.#sockets++;
    return session;
  }

  #release(host: string): void {
    this.#sockets--;
    const left = (this.#socketsByHost.get(host) ?? 1) - 1;
    if (left === 0) this.#socketsByHost.delete(host);
    else this.#socketsByHost.set(host, left);
  }
}
