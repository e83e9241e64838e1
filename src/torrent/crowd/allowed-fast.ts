/**
 * Pieces that a choked peer may have all the same (BEP 6), so that newcomers get something to trade with. Invariants:
 * the set depends on the peer's network and the torrent alone, so that coming back earns nothing new, and what is
 * promised is bounded in pieces and bytes.
 */
import { parseIp } from '../../base/address.ts';
import { fromHex, readUint32 } from '../../base/bytes.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { TaskGroup } from '../../base/tasks.ts';
import { MIB } from '../../base/units.ts';
import type { Content } from '../content/content.ts';
import { TRADING_PIECES } from '../peer/fast-grants.ts';
import type { Peer } from '../peer/peer.ts';
import type { Hasher } from '../ports.ts';

/** Large pieces are worth more: no more than this is promised, but one piece always. */
const MAX_BYTES = 8 * MIB;
const HASHES_PER_DIGEST = 5;

export interface FastSetSeed {
  /** IPv4 literal; BEP 6 knows no other. */
  readonly host: string;
  readonly swarmKey: SwarmKey;
  readonly pieceCount: number;
  /** Wished size of the set. */
  readonly count: number;
}

/** The set in the order of BEP 6: at most every piece once; empty for anything but IPv4. */
export async function allowedFastSet(seed: FastSetSeed, hasher: Pick<Hasher, 'sha1'>): Promise<number[]> {
  const address = parseIp(seed.host);
  if (address.length !== 4) return [];
  const network = address.with(3, 0);
  let bytes: Uint8Array = new Uint8Array([...network, ...fromHex(seed.swarmKey)]);
  const count = Math.min(seed.count, seed.pieceCount);
  const pieces = new Set<number>();
  // Few pieces are hit again and again; what is missing after so many rounds is left out.
  for (let round = 0; pieces.size < count && round < 4 * TRADING_PIECES; round++) {
    bytes = await hasher.sha1(bytes);
    for (let at = 0; at < HASHES_PER_DIGEST && pieces.size < count; at++)
      pieces.add(readUint32(bytes, at * 4) % seed.pieceCount);
  }
  return [...pieces];
}

export interface FastPromisesParts {
  readonly hasher: Hasher;
  /** Owns the promises that are being worked out. */
  readonly tasks: TaskGroup;
  content(): Content | undefined;
  /** Bytes a second we may send at all. */
  uploadBytesPerSecond(): number;
  failed(error: unknown): void;
}

/** Promises pieces to peers that have to wait for a slot. */
export class FastPromises {
  readonly #parts: FastPromisesParts;

  constructor(parts: FastPromisesParts) {
    this.#parts = parts;
  }

  /** The peer is interested and choked: it hears its set once, as far as we have it. */
  offer(peer: Peer): void {
    const content = this.#parts.content();
    const { host } = peer.connection.remote ?? {};
    if (content === undefined || host === undefined || !peer.handshake.fast || !peer.grants.isEmpty) return;
    if (!peer.isInterested || !peer.amChoking || this.#parts.uploadBytesPerSecond() === 0) return;
    if ((peer.pieces.have?.count ?? 0) >= TRADING_PIECES) return;
    this.#parts.tasks.run('fast.promise', () =>
      this.#promise(peer, host, content).catch((error: unknown) => this.#parts.failed(error)),
    );
  }

  async #promise(peer: Peer, host: string, content: Content): Promise<void> {
    const { pieceCount, pieceLengthBytes } = content.store.geometry;
    const count = Math.max(1, Math.min(TRADING_PIECES, Math.floor(MAX_BYTES / pieceLengthBytes)));
    const pieces = await allowedFastSet(
      { host, swarmKey: peer.handshake.swarmKey, pieceCount, count },
      this.#parts.hasher,
    );
    if (peer.isClosed || !peer.grants.isEmpty) return;
    for (const piece of pieces) if (content.store.have.has(piece) && !peer.pieces.has(piece)) peer.allowFast(piece);
  }
}
