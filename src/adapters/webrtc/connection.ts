/**
 * One WebRTC connection from first description to open data channel, over node-datachannel's own API. It either becomes
 * a socket or fails, once, within its time limit; after `close` the native object is let go outside of its callbacks.
 */
import { type DataChannel, PeerConnection, type RtcConfig } from 'node-datachannel';
import type { Cancel, Clock } from '../../base/clock.ts';
import { AppError, Cancelled, InvalidInput, TimedOut, Unavailable } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { IceCandidate } from '../../codec/tracker-ws.ts';
import type { PeerAddress } from '../../torrent/ports.ts';
import { ChannelSocket } from './channel-socket.ts';
import { type AddressFilter, CandidateGate } from './candidates.ts';
import { type Guard, guardWith } from './guard.ts';
import { type IceServer, isFromOurLibrary, nativeIceServer, splitDescription, withEndOfCandidates } from './signals.ts';

/** A peer that waits for one complete description waits no longer than this for our candidates. */
export const GATHER_LIMIT_MS = 100;
/** From the first description to the open channel. */
const CONNECT_TIMEOUT_MS = 30 * SECOND_MS;
/** The ICE transport appears a moment after the remote description; candidates are offered to it again so often. */
const CANDIDATE_RETRY_MS = 20;
const CANDIDATE_RETRIES = 50;
/** So long at most an offerer of our library is left to reach us first; behind a router it may need our packets to get through. */
export const HOLD_CANDIDATES_MS = 200;

export interface RtcOptions {
  /** Always the operator's own; an empty list asks nobody. */
  readonly iceServers: readonly IceServer[];
  readonly clock: Clock;
  readonly log: Log;
  /** All connections share this UDP port; undefined = one free port each. */
  readonly udpPort?: number;
  /** Only this address; undefined = every one of the machine. */
  readonly bindAddress?: string;
  readonly connectTimeoutMs?: number;
}

/** How the peer speaks, and what it may say. */
export interface Signalling {
  /** It takes candidates one by one; otherwise our description must be complete. */
  readonly trickle: boolean;
  /** Which addresses its candidates may name. */
  readonly allows: AddressFilter;
}

export interface RtcEvents {
  /** Our description: at once, or complete with candidates where the peer does not trickle. */
  description(sdp: string): void;
  /** Only where the peer trickles. */
  candidate(candidate: IceCandidate): void;
  open(socket: ChannelSocket): void;
  /** Before `open`: it failed with this. After: the socket has told already. Comes exactly once. */
  closed(cause: AppError | undefined): void;
}

export class RtcConnection {
  readonly #native: PeerConnection;
  readonly #options: RtcOptions;
  readonly #events: RtcEvents;
  readonly #guard: Guard;
  readonly #trickle: boolean;
  readonly #timers = new Set<Cancel>();
  readonly #gate: CandidateGate;
  #candidates: IceCandidate[] = [];
  #retries = 0;
  #described = false;
  #remoteSet = false;
  /** The peer's candidates wait, so that it reaches us first. */
  #isHolding = false;
  #channel: DataChannel | undefined;
  #socket: ChannelSocket | undefined;
  #over = false;

  constructor({ trickle, allows }: Signalling, options: RtcOptions, events: RtcEvents) {
    this.#options = options;
    this.#events = events;
    this.#trickle = trickle;
    this.#gate = new CandidateGate(allows);
    this.#guard = guardWith(options.log);
    this.#native = new PeerConnection('seedbed', nativeConfig(options));
    this.#observe();
    this.#later(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, () => {
      if (this.#socket === undefined) this.#fail(new TimedOut('no data channel in time'));
    });
  }

  /** Makes our offer; it comes as `description`. */
  offer(): void {
    this.#useChannel(this.#native.createDataChannel('bittorrent'));
  }

  /**
   * Answers the peer's offer. One of our own library is not spoken to before it speaks to us: it does that when it has
   * stored the answer, without which it could not check our certificate, and would lose our first words for a second.
   * @throws InvalidInput when it is none; the connection is over then.
   */
  answer(offerSdp: string): void {
    if (isFromOurLibrary(offerSdp)) this.#holdCandidates();
    this.#setRemote(offerSdp, 'offer');
  }

  /** The peer's answer to our offer; a second one is ignored. @throws InvalidInput; the connection is over then. */
  acceptAnswer(sdp: string): void {
    if (!this.#over && !this.#remoteSet) this.#setRemote(sdp, 'answer');
  }

  /** A candidate of the peer, at any time; what may not be contacted is left out. */
  addCandidate(candidate: IceCandidate): void {
    const admitted = this.#over ? undefined : this.#gate.admit(candidate);
    if (admitted === undefined) return;
    this.#candidates.push(admitted);
    this.#flushCandidates();
  }

  close(): void {
    this.#fail(new Cancelled('closed'));
  }

  #observe(): void {
    const native = this.#native;
    native.onLocalDescription(this.#guard('description', (sdp: string) => this.#localDescription(sdp)));
    native.onLocalCandidate(
      this.#guard('candidate', (candidate: string, sdpMid: string) => {
        if (this.#trickle && !this.#over) this.#events.candidate({ candidate: candidate.replace(/^a=/, ''), sdpMid });
      }),
    );
    native.onGatheringStateChange(
      this.#guard('gathering', (state: string) => {
        if (state === 'complete') this.#completeDescription();
      }),
    );
    native.onStateChange(
      this.#guard('state', (state: string) => {
        if (state === 'disconnected' || state === 'failed' || state === 'closed')
          this.#fail(new Unavailable(`the WebRTC connection ended: ${state}`, { state }));
      }),
    );
    native.onDataChannel(this.#guard('channel', (channel: DataChannel) => this.#useChannel(channel)));
  }

  #holdCandidates(): void {
    this.#isHolding = true;
    this.#later(HOLD_CANDIDATES_MS, () => {
      this.#isHolding = false;
      this.#flushCandidates();
    });
  }

  #setRemote(sdp: string, type: 'offer' | 'answer'): void {
    try {
      const description = splitDescription(sdp);
      this.#native.setRemoteDescription(description.sdp, type);
      for (const candidate of description.candidates) this.addCandidate(candidate);
    } catch (error) {
      const refusal =
        error instanceof AppError
          ? error
          : new InvalidInput('the session description was refused', { type }, { cause: error });
      this.#fail(refusal);
      throw refusal;
    }
    this.#remoteSet = true;
    this.#flushCandidates();
  }

  #localDescription(sdp: string): void {
    if (this.#over) return;
    if (this.#trickle) this.#describe(sdp);
    else this.#later(GATHER_LIMIT_MS, () => this.#completeDescription());
    this.#flushCandidates();
  }

  #completeDescription(): void {
    const description = this.#over ? null : this.#native.localDescription();
    if (description !== null) this.#describe(withEndOfCandidates(description.sdp));
  }

  #describe(sdp: string): void {
    if (this.#described) return;
    this.#described = true;
    this.#events.description(sdp);
  }

  #flushCandidates(): void {
    while (this.#remoteSet && !this.#isHolding && !this.#over) {
      const [candidate] = this.#candidates;
      if (candidate === undefined) return;
      try {
        this.#native.addRemoteCandidate(candidate.candidate, candidate.sdpMid);
      } catch (error) {
        this.#retryCandidates(error);
        return;
      }
      this.#candidates.shift();
    }
  }

  #retryCandidates(error: unknown): void {
    if (++this.#retries > CANDIDATE_RETRIES) {
      this.#options.log.debug('webrtc.candidate_dropped', { error });
      this.#candidates.shift();
      return;
    }
    this.#later(CANDIDATE_RETRY_MS, () => this.#flushCandidates());
  }

  #useChannel(channel: DataChannel): void {
    // Without a listener of ours the library never lets go of a channel that was not opened, nor the process end.
    channel.onClosed(this.#guard('closed', () => undefined));
    if (this.#over || this.#channel !== undefined) {
      channel.close(); // one stream a connection
      return;
    }
    this.#channel = channel;
    const opened = (): void => {
      if (this.#over || this.#socket !== undefined) return;
      this.#socket = new ChannelSocket(channel, {
        remote: this.#remoteAddress(),
        clock: this.#options.clock,
        guard: this.#guard,
        release: () => this.#fail(undefined),
      });
      this.#events.open(this.#socket);
    };
    channel.onOpen(this.#guard('open', opened));
    if (channel.isOpen()) opened();
  }

  /** Undefined while the library does not know it, or knows it by a name. */
  #remoteAddress(): PeerAddress | undefined {
    const pair = this.#native.getSelectedCandidatePair();
    return pair === null ? undefined : { host: pair.remote.address, port: pair.remote.port };
  }

  #fail(cause: AppError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#candidates = [];
    this.#socket?.end(cause);
    setImmediate(() => {
      this.#channel?.close();
      this.#native.close();
      this.#events.closed(cause);
    });
  }

  #later(delayMs: number, task: () => void): void {
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      if (!this.#over) task();
    });
    this.#timers.add(cancel);
  }
}

function nativeConfig(options: RtcOptions): RtcConfig {
  return {
    iceServers: options.iceServers.map((server) => nativeIceServer(server)),
    ...(options.bindAddress === undefined ? {} : { bindAddress: options.bindAddress }),
    ...(options.udpPort === undefined
      ? {}
      : { enableIceUdpMux: true, portRangeBegin: options.udpPort, portRangeEnd: options.udpPort }),
  };
}
