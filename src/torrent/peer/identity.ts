/**
 * The hashes a torrent goes by, v1, v2 or both halves of a hybrid (BEP 52), and which of them a connection is about.
 * Invariant: a hash once known stays, and every key a connection gets is of one of them.
 */
import { swarmKeyOf, type SwarmKey } from '../../base/ids.ts';
import type { Handshake } from '../../codec/handshake.ts';
import type { InfoHashes } from '../../codec/metainfo.ts';
import type { Peer } from './peer.ts';

export class Identity {
  #hashes: InfoHashes;

  constructor({ v1, v2 }: InfoHashes) {
    this.#hashes = { ...(v1 && { v1 }), ...(v2 && { v2 }) };
  }

  get hashes(): InfoHashes {
    return this.#hashes;
  }

  /** It has a v1 and a v2 half, and both are known. */
  get isHybrid(): boolean {
    return this.#hashes.v1 !== undefined && this.#hashes.v2 !== undefined;
  }

  /** Under which it is found on the wire: v1, then v2. */
  get keys(): SwarmKey[] {
    return [this.#hashes.v1, this.#hashes.v2].filter((hash) => hash !== undefined).map(swarmKeyOf);
  }

  /** The metadata told the other hash of a hybrid that was known by one of them. */
  learn(hashes: InfoHashes): void {
    this.#hashes = hashes;
  }

  /**
   * Under which to dial with an encrypted handshake: libtorrent does not take such a connection over to the v2 half of a
   * hybrid, so it has to begin there while v2 hashes are to be fetched. A v1 peer refuses that: where a plain handshake
   * would follow, it is worth the try for the leaves of what is being read, too.
   */
  encryptedKey(needs: {
    readonly lacksHashes: boolean;
    readonly isRead: boolean;
    readonly mayRetryPlainly: boolean;
  }): SwarmKey | undefined {
    const { v1, v2 } = this.#hashes;
    const needsV2 = needs.lacksHashes || (needs.isRead && needs.mayRetryPlainly);
    const hash = needsV2 ? (v2 ?? v1) : (v1 ?? v2);
    return hash && swarmKeyOf(hash);
  }

  /** What to answer a peer with: one that speaks v2 of a hybrid is taken over to its v2 half. */
  answerKey(asked: Handshake): SwarmKey {
    const { v2 } = this.#hashes;
    return asked.v2 && v2 !== undefined ? swarmKeyOf(v2) : asked.swarmKey;
  }

  /** The two ends agreed on the v2 hash: incoming connections were answered with it, outgoing ones answered with it. */
  speaksV2({ handshake, isOutgoing }: Pick<Peer, 'handshake' | 'isOutgoing'>): boolean {
    const { v1 } = this.#hashes;
    return v1 === undefined || handshake.swarmKey !== swarmKeyOf(v1) || (handshake.v2 && !isOutgoing);
  }
}
