/**
 * Which ICE candidates of a peer reach the native library, which sends packets to each of them: those whose address is an
 * IP literal that whoever brought them may name (docs/decisions/007-addresses.md), and a bounded number. Names, mDNS or any
 * other, would make it ask the resolver on a stranger's behalf. A peer whose candidates are all left out is found all the
 * same: it reaches us first, and its address is then known (peer-reflexive).
 */
import { formatIp, parseIp, type PeerAddress } from '../../base/address.ts';
import { InvalidInput } from '../../base/errors.ts';
import type { IceCandidate } from '../../codec/tracker-ws.ts';

/** Whether whoever brought a description may name this address; the host is in its canonical spelling. */
export type AddressFilter = (address: PeerAddress) => boolean;

/** Addresses taken from one peer, those of its description and those that follow together. */
export const MAX_CANDIDATES = 16;

const MAX_CANDIDATE_CHARS = 512;
/** RFC 8839 §5.1, printable ASCII only, so that no reader finds the fields elsewhere; the library speaks UDP alone. */
const CANDIDATE =
  /^candidate:([\w+/]{1,32}) ([12]) udp (\d{1,10}) ([0-9a-f.:]{2,45}) (\d{1,5}) typ (host|srflx|prflx|relay)( [ -~]*)?$/i;

interface NamedAddress {
  readonly address: PeerAddress;
  /** Written anew: what the library reads is what was judged. */
  readonly candidate: string;
}

/** Undefined for names, TCP, what is no candidate, and the empty end-of-candidates mark. */
function readCandidate(text: string): NamedAddress | undefined {
  const match = text.length > MAX_CANDIDATE_CHARS ? null : CANDIDATE.exec(text.trim());
  if (match === null) return undefined;
  const [, foundation = '', component = '', priority = '', literal = '', port = '', type = ''] = match;
  try {
    const address = { host: formatIp(parseIp(literal)), port: Number(port) };
    const head = `candidate:${foundation} ${component} UDP ${priority}`;
    return { address, candidate: `${head} ${address.host} ${address.port} typ ${type}` };
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}

/** The gate of one connection; remembers what it has let through. */
export class CandidateGate {
  readonly #allows: AddressFilter;
  /** `host port` of each that was let through. */
  readonly #admitted = new Set<string>();

  constructor(allows: AddressFilter) {
    this.#allows = allows;
  }

  /** The candidate as the library gets it; undefined where it must not, or has its address already. */
  admit({ candidate: text, sdpMid }: IceCandidate): IceCandidate | undefined {
    const named = readCandidate(text);
    if (named === undefined || this.#admitted.size >= MAX_CANDIDATES) return undefined;
    const { address, candidate } = named;
    const key = `${address.host} ${address.port}`;
    if (this.#admitted.has(key) || !this.#allows(address)) return undefined;
    this.#admitted.add(key);
    return { candidate, sdpMid };
  }
}
