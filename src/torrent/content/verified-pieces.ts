/**
 * The pieces of a torrent joined to the hashes they are verified by. In v2 each needs the other: pieces are verified by
 * trees and leaves, and leaves that peers ask for are computed from pieces. Invariant: only here the two are introduced.
 */
import { Conflict } from '../../base/errors.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { Geometry } from '../geometry.ts';
import { verifierFor } from '../hashes/verify.ts';
import type { Peer } from '../peer/peer.ts';
import type { LeafCheckParts } from '../pieces/leaf-checks.ts';
import { PieceStore, type PieceStoreEvents } from '../pieces/piece-store.ts';
import type { Hasher } from '../ports.ts';
import { ContentHashes } from './content-hashes.ts';
import type { ContentParts } from './content-host.ts';
import type { OpenedStorage } from './torrent-types.ts';

type Parts = Pick<ContentParts, 'info' | 'usesV2' | 'pieceLayers' | 'opened' | 'host'>;

export interface VerifiedPieces {
  readonly store: PieceStore;
  /** Undefined in v1. */
  readonly hashes: ContentHashes<Peer> | undefined;
}

/** Opens the pieces in storage; nothing is read or asked for yet. @throws Conflict when the bitfield does not fit. */
export function openPieces(parts: Parts, events: PieceStoreEvents): VerifiedPieces {
  const { info, opened } = parts;
  const { pieceBuffers, hashJobs, ports } = parts.host.shared;
  const geometry = Geometry.of(info);
  const have = heldPieces(opened.have, info.pieceCount);
  const usesV2 = parts.usesV2 && info.version !== 'v1';
  const hashes = usesV2 ? openHashes(parts, { geometry, have, store: () => store }, events) : undefined;
  const verifier = verifierFor(info, hashes?.trees, ports.hasher, (piece, leaves) =>
    hashes?.leaves.keep(piece, leaves),
  );
  const store: PieceStore = new PieceStore({
    geometry,
    verifier,
    ...(hashes && { leaves: leafChecksBy(hashes, ports.hasher) }),
    storage: opened.storage,
    have,
    pool: pieceBuffers,
    hashJobs,
    events,
  });
  return { store, hashes };
}

function openHashes(
  { host, info, pieceLayers }: Parts,
  pieces: { readonly geometry: Geometry; readonly have: Bitfield; store(): PieceStore },
  events: PieceStoreEvents,
): ContentHashes<Peer> {
  return new ContentHashes<Peer>({
    info,
    pieceLayers,
    geometry: pieces.geometry,
    have: pieces.have,
    shared: host.shared,
    peers: host.peers,
    read: (views, position) => pieces.store().readInto(views, position),
    speaksV2: (peer) => host.speaksV2(peer),
    pieceKnown: (piece) => {
      // A hybrid's pieces could be fetched before: what is under way goes on.
      if (info.version === 'hybrid') pieces.store().nodeLearned(piece);
      else events.missing(piece);
    },
    leavesLearned: (piece, leaves) => pieces.store().leavesLearned(piece, leaves),
    convict: (peer) => host.convict(peer),
    failed: (error) => events.storageFailed(error),
  });
}

/** Blocks are checked one by one where the leaves of their piece are known or asked for. */
function leafChecksBy(hashes: ContentHashes<Peer>, hasher: Hasher): LeafCheckParts {
  return {
    hasher,
    leavesOf: (piece) => hashes.leaves.cached(piece),
    expects: (piece) => hashes.expectsLeaves(piece),
  };
}

function heldPieces(have: OpenedStorage['have'], pieceCount: number): Bitfield {
  if (have === 'all') return Bitfield.full(pieceCount);
  if (have === 'none' || have === 'check') return new Bitfield(pieceCount);
  if (have.length !== pieceCount) throw new Conflict('the bitfield does not fit the torrent', { pieceCount });
  return have;
}
