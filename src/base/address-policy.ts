/**
 * Which addresses may be contacted, by who named them (docs/decisions/007-addresses.md). Strangers may name public
 * addresses only; a peer that was seen at an inner address may be called back there; what a person asked for, or what
 * a part of ours has judged by better knowledge, is free.
 */
import { formatIp, parseIp, type PeerAddress } from './address.ts';
import { type AddressScope, scopeOf } from './address-scope.ts';

/** Who may name an address. */
export const ADDRESS_SOURCES = ['told', 'observed', 'judged'] as const;

/**
 * `told`: by a stranger, such as PEX, DHT, a foreign tracker, a magnet link. `observed`: we got a packet of its from
 * there. `judged`: a person typed it, or whoever hands it over has looked at it.
 */
export type AddressSource = (typeof ADDRESS_SOURCES)[number];

/** What strangers may name beyond public addresses. */
export interface AddressPolicyOptions {
  /** Strangers may name private and loopback addresses too; never special ones. Default false. */
  readonly allowPrivate?: boolean;
  /** A packet from loopback comes from a peer on this machine, and not from a reverse proxy. Default true. */
  readonly loopbackIsPeer?: boolean;
}

/** Services that listen below have nothing to do with peers, and those inside a network trust their neighbours. */
const FIRST_INNER_PORT = 1_024;

/** Judges addresses by who named them. */
export class AddressPolicy {
  readonly #allowPrivate: boolean;
  readonly #loopbackIsPeer: boolean;
  readonly #trusted = new Set<string>();

  constructor({ allowPrivate = false, loopbackIsPeer = true }: AddressPolicyOptions = {}) {
    this.#allowPrivate = allowPrivate;
    this.#loopbackIsPeer = loopbackIsPeer;
  }

  /** From now on strangers may name this very address: a person's wish has led us there. @throws InvalidInput unless an IP literal */
  trust(host: string): void {
    this.#trusted.add(formatIp(parseIp(host)));
  }

  /** Whether a host, an IP literal in its canonical spelling, may be contacted. */
  allowsHost(host: string, source: AddressSource): boolean {
    const scope = scopeOf(host);
    return source === 'judged' || scope === 'public' || this.#trusted.has(host) || this.#allowsInner(scope, source);
  }

  /** Whether a peer may be dialled. Inner addresses only at ports from 1,024 on, unless judged. */
  allowsPeer({ host, port }: PeerAddress, source: AddressSource): boolean {
    if (port < 1 || port > 65_535 || !this.allowsHost(host, source)) return false;
    return source === 'judged' || port >= FIRST_INNER_PORT || scopeOf(host) === 'public';
  }

  /**
   * Whether a tracker that was reached at `trackerHost` may name this peer. Beyond what strangers may, one that the policy
   * let us reach inside a network names its neighbours, and one on this machine its peers on this machine.
   */
  allowsPeerFrom(trackerHost: string, address: PeerAddress): boolean {
    if (this.allowsPeer(address, 'told')) return true;
    const [tracker, peer] = [scopeOf(trackerHost), scopeOf(address.host)];
    const isNeighbour = peer === 'private' ? tracker !== 'public' : peer === 'loopback' && tracker === 'loopback';
    return isNeighbour && address.port >= FIRST_INNER_PORT && address.port <= 65_535;
  }

  /**
   * Whether a peer from which a packet came may name this address, as in a WebRTC description: its own as one that was
   * observed, any other as strangers may. @throws InvalidInput unless `peerHost` is an IP literal
   */
  allowsPeerOf(peerHost: string, address: PeerAddress): boolean {
    return this.allowsPeer(address, address.host === formatIp(parseIp(peerHost)) ? 'observed' : 'told');
  }

  #allowsInner(scope: AddressScope, source: AddressSource): boolean {
    if (scope === 'special') return false;
    if (this.#allowPrivate) return true;
    return source === 'observed' && (scope === 'private' || this.#loopbackIsPeer);
  }
}
