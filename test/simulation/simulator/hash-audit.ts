/**
 * Watches the hash requests of one connection (BEP 52): each gets exactly one answer, and what is answered is true.
 * Invariant: it knows of the engine only what goes over the wire.
 */
import type { PeerMessage } from '../../../src/codec/wire.ts';
import type { HashRequest } from '../../../src/codec/wire-hashes.ts';
import type { HashTruth } from './hash-truth.ts';
import type { Referee } from './referee.ts';

const keyOf = ({ piecesRoot, baseLayer, index, length, proofLayers }: HashRequest): string =>
  `${Buffer.from(piecesRoot.subarray(0, 4)).toString('hex')}/${baseLayer}/${index}+${length}^${proofLayers}`;

export class HashAudit {
  readonly #name: string;
  readonly #referee: Referee;
  readonly #asked = new Map<string, number>();

  constructor(name: string, referee: Referee) {
    this.#name = name;
    this.#referee = referee;
  }

  /** Requests that got no answer. */
  get unanswered(): string[] {
    return [...this.#asked.keys()].map((key) => `hashes ${key}`);
  }

  heard(message: PeerMessage): void {
    if (message.type !== 'hash-request') return;
    const key = keyOf(message.request);
    this.#asked.set(key, (this.#asked.get(key) ?? 0) + 1);
  }

  /** `truth` is undefined for a torrent without v2 half. */
  said(message: PeerMessage, truth: HashTruth | undefined): void {
    if (message.type !== 'hashes' && message.type !== 'hash-reject') return;
    const key = keyOf(message.request);
    const count = this.#asked.get(key) ?? 0;
    this.#referee.check(count > 0, 'every answer was asked for', () => `${this.#name}: hashes ${key}`);
    if (count > 1) this.#asked.set(key, count - 1);
    else this.#asked.delete(key);
    if (message.type !== 'hashes') return;
    const isTrue = truth?.confirms(message.request, message.hashes) === true;
    this.#referee.check(isTrue, 'only true hashes leave', () => `${this.#name}: ${key}`);
  }
}
