/** What the tracker needs from the rest of the server. */
import type { PeerAddress } from '../base/address.ts';
import type { SwarmKey } from '../base/ids.ts';
import type { IceCandidate } from '../codec/tracker-ws.ts';

/** Which torrents are tracked here. Asked once when a swarm comes to life, so it may cost one indexed look-up. */
export interface Admission {
  admits(key: SwarmKey): boolean;
}

/** The server's own seeder, named in peer lists without ever announcing. */
export interface OwnSeed {
  /** Where `remoteHost` (an IP literal) reaches our peer port; undefined when we do not seed this torrent. */
  addressFor(key: SwarmKey, remoteHost: string): PeerAddress | undefined;
}

/** A browser's offer, for our own WebRTC seeder. */
export interface RemoteOffer {
  readonly swarmKey: SwarmKey;
  /** The offering peer's id, one latin-1 character a byte. */
  readonly peerId: string;
  readonly sdp: string;
  /** It takes candidates one by one; otherwise the answer must be complete. */
  readonly trickle: boolean;
  /** IP literal from which it came. */
  readonly remoteHost: string;
}

/** The way back to the peer that offered; calls after it has gone are ignored. */
export interface AnswerSink {
  answer(sdp: string): void;
  /** Only for peers that trickle. */
  candidate(candidate: IceCandidate): void;
}

/** Takes the candidates that follow an offer. */
export interface Answering {
  addCandidate(candidate: IceCandidate): void;
}

/** The server's own WebRTC seeder. */
export interface OwnAnswerer {
  /** Undefined when it does not want this peer: not seeding, at its cap, or connected to it already. */
  answer(offer: RemoteOffer, sink: AnswerSink): Answering | undefined;
}

/** One open WebSocket, whoever runs it. */
export interface SignalSocket {
  /** IP literal of the other side. */
  readonly remoteHost: string;
  /** Bytes accepted by `send` and not yet on their way. */
  readonly bufferedBytes: number;
  send(text: string): void;
  /** Closes with a WebSocket status (RFC 6455 §7.4). */
  close(code: number, reason: string): void;
}

/** Issues and checks the proof that a UDP sender owns its address (BEP 15). */
export interface ConnectionIds {
  /** 8 bytes for the IP address `ip` (4 or 16 bytes). */
  issue(ip: Uint8Array): Uint8Array;
  accepts(connectionId: Uint8Array, ip: Uint8Array): boolean;
}
