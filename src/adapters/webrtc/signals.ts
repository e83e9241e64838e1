/**
 * What two WebRTC peers tell each other before they are connected. Invariant: no candidate of a peer reaches the native
 * library with its description; each goes through `candidates.ts`.
 */
import { InvalidInput } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import type { IceCandidate } from '../../codec/tracker-ws.ts';

/** A STUN or TURN server in the browser's form. */
export interface IceServer {
  /** `stun:host:port`, `turn:host:port?transport=udp|tcp`, `turns:host:port` (RFC 7064, 7065). */
  readonly urls: string;
  readonly username?: string;
  readonly credential?: string;
}

/** The native library's form of a relay. */
export interface NativeIceServer {
  readonly hostname: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly relayType?: 'TurnUdp' | 'TurnTcp' | 'TurnTls';
}

/** A data-channel description has about 500 bytes, with candidates and fingerprints a few KiB. */
export const MAX_SDP_CHARS = 32 * KIB;

export interface SplitDescription {
  /** The description without any candidate. */
  readonly sdp: string;
  /** As the peer wrote them. */
  readonly candidates: readonly IceCandidate[];
}

/**
 * Takes the candidates out of a description: the native library refuses a description whose candidates come before its
 * ICE transport exists, and most must not reach it at all. @throws InvalidInput when too long or no SDP.
 */
export function splitDescription(sdp: string): SplitDescription {
  if (sdp.length > MAX_SDP_CHARS || !sdp.startsWith('v=0'))
    throw new InvalidInput('not a session description', { chars: sdp.length });
  const kept: string[] = [];
  const candidates: IceCandidate[] = [];
  for (const section of sdp.split(/\r?\n(?=m=)/)) {
    const lines = section.split(/\r?\n/);
    const sdpMid = lines.find((line) => line.startsWith('a=mid:'))?.slice('a=mid:'.length) ?? '0';
    const isCandidate = (line: string): boolean => line.startsWith('a=candidate:');
    kept.push(...lines.filter((line) => !isCandidate(line) && line !== 'a=end-of-candidates'));
    for (const line of lines.filter(isCandidate)) candidates.push({ candidate: line.slice('a='.length), sdpMid });
  }
  return { sdp: kept.join('\r\n'), candidates };
}

/** Whether libdatachannel wrote it, which we run on, too. */
export function isFromOurLibrary(sdp: string): boolean {
  return /^o=rtc /m.test(sdp);
}

/** A complete description says so (RFC 8838): whoever reads it waits for no candidate that will not come. */
export function withEndOfCandidates(sdp: string): string {
  return /^a=end-of-candidates/m.test(sdp) ? sdp : `${sdp.replace(/(?:\r?\n)*$/, '\r\n')}a=end-of-candidates\r\n`;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { stun: 3478, turn: 3478, turns: 5349 };

/** @throws InvalidInput for anything but stun:, turn: and turns: URLs. */
export function nativeIceServer(server: IceServer): NativeIceServer {
  const match = /^(stun|turn|turns):(\[[0-9a-fA-F:.]+\]|[^:?\s]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/.exec(
    server.urls,
  );
  if (match === null) throw new InvalidInput('an ICE server is stun:host:port or turn:host:port', { url: server.urls });
  const [, scheme = '', host = '', port, transport] = match;
  const hostname = host.replace(/^\[|\]$/g, '');
  const address = { hostname, port: port === undefined ? (DEFAULT_PORTS[scheme] ?? 0) : Number(port) };
  if (scheme === 'stun') return address;
  return {
    ...address,
    ...(server.username === undefined ? {} : { username: server.username }),
    ...(server.credential === undefined ? {} : { password: server.credential }),
    relayType: relayType(scheme, transport),
  };
}

function relayType(scheme: string, transport: string | undefined): 'TurnUdp' | 'TurnTcp' | 'TurnTls' {
  if (scheme === 'turns') return 'TurnTls';
  return transport === 'tcp' ? 'TurnTcp' : 'TurnUdp';
}
