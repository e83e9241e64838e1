/**
 * One RTCPeerConnection with one data channel, from offer or answer to its end. Nothing waits for candidates to be
 * gathered, except in answers to peers that cannot take them one by one. ICE servers are always given explicitly: a
 * library's default would show every viewer's address to a third party.
 */
import type { Clock } from '../../base/clock.ts';
import { AppError, InvalidInput, ProtocolError } from '../../base/errors.ts';
import { SMALL_MESSAGE_BYTES } from '../../base/message-size.ts';
import { KIB } from '../../base/units.ts';
import type { IceCandidate } from '../../codec/tracker-ws.ts';

export interface LinkEvents {
  candidate(candidate: IceCandidate): void;
  /** In the very task in which the channel came to be: only now can it be transferred to a worker. */
  channel(channel: RTCDataChannel): void;
  /** The other side takes messages of so many bytes. */
  open(maxMessageBytes: number): void;
  /** Comes once, after which nothing else comes. */
  closed(): void;
}

/** Peers that cannot trickle get what candidates were found by then. */
const COMPLETE_SDP_MS = 150;
const MAX_SDP_CHARS = 32 * KIB;
const MAX_CANDIDATES = 64;
/** `sdpMid` where a browser gives none: we have one media section. */
const ONLY_SECTION = '0';

export class RtcLink {
  readonly #connection: RTCPeerConnection;
  readonly #events: LinkEvents;
  readonly #clock: Clock;
  #early: IceCandidate[] | undefined = [];
  #candidates = 0;
  #isClosed = false;

  constructor(iceServers: readonly RTCIceServer[], events: LinkEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
    this.#connection = new RTCPeerConnection({ iceServers: [...iceServers] });
    this.#connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate !== null && candidate.candidate !== '' && !this.#isClosed)
        events.candidate({ candidate: candidate.candidate, sdpMid: candidate.sdpMid ?? ONLY_SECTION });
    });
    this.#connection.addEventListener('connectionstatechange', () => this.#stateChanged());
    this.#connection.addEventListener('datachannel', ({ channel }) => this.#events.channel(channel));
  }

  /** Our description, at once. @throws ProtocolError */
  offer(): Promise<string> {
    return this.#guard(async () => {
      this.#events.channel(this.#connection.createDataChannel('bt', { ordered: true }));
      await this.#connection.setLocalDescription();
      return this.#connection.localDescription?.sdp ?? '';
    });
  }

  /** Our answer: at once for a peer that trickles, else with the candidates found in 150 ms. @throws ProtocolError, InvalidInput */
  answer(offerSdp: string, peerTrickles: boolean): Promise<string> {
    return this.#guard(async () => {
      await this.#setRemote('offer', offerSdp);
      await this.#connection.setLocalDescription();
      if (!peerTrickles) await this.#gathered();
      return this.#connection.localDescription?.sdp ?? '';
    });
  }

  /** Takes the answer to our offer. @throws ProtocolError, InvalidInput */
  accept(answerSdp: string): Promise<void> {
    return this.#guard(() => this.#setRemote('answer', answerSdp));
  }

  /** Kept until the remote description is there. Candidates that do not parse or cannot be resolved are ignored. */
  addCandidate(candidate: IceCandidate): void {
    if (this.#isClosed || ++this.#candidates > MAX_CANDIDATES) return;
    if (this.#early === undefined) this.#add(candidate);
    else this.#early.push(candidate);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
    this.#events.closed();
  }

  #add({ candidate, sdpMid }: IceCandidate): void {
    // A bad candidate is no reason to give up the connection: others may work, and the peer may reach us first.
    this.#connection.addIceCandidate({ candidate, sdpMid }).catch(() => undefined);
  }

  async #setRemote(type: 'offer' | 'answer', sdp: string): Promise<void> {
    if (sdp.length > MAX_SDP_CHARS) throw new InvalidInput('a session description is too long');
    await this.#connection.setRemoteDescription({ type, sdp });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const candidate of early) this.#add(candidate);
  }

  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#connection.iceGatheringState === 'complete') done();
      };
      const done = (): void => {
        cancel();
        this.#connection.removeEventListener('icegatheringstatechange', check);
        resolve();
      };
      const cancel = this.#clock.after(COMPLETE_SDP_MS, done);
      this.#connection.addEventListener('icegatheringstatechange', check);
      check();
    });
  }

  #stateChanged(): void {
    const { connectionState } = this.#connection;
    const maxMessageBytes = this.#connection.sctp?.maxMessageSize ?? SMALL_MESSAGE_BYTES;
    if (connectionState === 'connected') this.#events.open(maxMessageBytes);
    if (connectionState === 'failed' || connectionState === 'closed') this.close();
  }

  async #guard<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      this.close();
      if (error instanceof AppError) throw error;
      throw new ProtocolError('the peer connection could not be set up', {}, { cause: error });
    }
  }
}
