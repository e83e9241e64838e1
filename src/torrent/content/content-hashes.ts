/**
 * The v2 half of a torrent's content: its trees, the hashes it serves and those it fetches (BEP 52). It decides for which
 * pieces 16 KiB leaves are worth a request: those a reader waits for now, and those that came out wrong.
 */
import type { Bitfield } from '../../codec/bitfield.ts';
import type { VerifiedLayers } from '../../codec/piece-layers.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { HashRequest } from '../../codec/wire-hashes.ts';
import type { Geometry } from '../geometry.ts';
import { HashFetch, type HashSource } from '../hashes/hash-fetch.ts';
import { HashServer } from '../hashes/hash-server.ts';
import { HashTrees } from '../hashes/hash-trees.ts';
import { PieceLeaves } from '../hashes/piece-leaves.ts';
import type { Shared } from '../limits/shared.ts';
import type { BlockSource } from '../pieces/active-piece.ts';
import type { WantedSpan } from '../reading/reading-window.ts';

/** Smaller pieces are here about as soon as their leaves. */
const MIN_BLOCKS = 5;
/** Pieces ahead of readers whose leaves are asked for. */
const MAX_READ_PIECES = 16;
/** Pieces that came out wrong and whose leaves are wanted; the oldest goes. */
const MAX_DOUBTED = 64;

export interface ContentHashesParts<Peer extends HashSource & BlockSource> {
  readonly info: TorrentInfo;
  readonly pieceLayers: VerifiedLayers | undefined;
  readonly geometry: Geometry;
  /** Reads bytes of held pieces. @throws StorageFailed */
  read(views: readonly Uint8Array[], position: number): Promise<void>;
  readonly have: Bitfield;
  readonly shared: Shared;
  readonly peers: ReadonlySet<Peer>;
  /** It knows the v2 half of the torrent. */
  speaksV2(peer: Peer): boolean;
  /** These pieces can be verified from now on. */
  pieceKnown(piece: number): void;
  leavesLearned(piece: number, leaves: Uint8Array): void;
  convict(peer: Peer): void;
  failed(error: unknown): void;
}

export class ContentHashes<Peer extends HashSource & BlockSource> {
  readonly trees: HashTrees;
  readonly leaves: PieceLeaves;
  readonly #parts: ContentHashesParts<Peer>;
  readonly #server: HashServer;
  readonly #fetch: HashFetch<Peer>;
  readonly #doubted = new Set<number>();
  #readPieces: ReadonlySet<number> = new Set();

  constructor(parts: ContentHashesParts<Peer>) {
    const { shared, geometry } = parts;
    this.#parts = parts;
    this.trees = new HashTrees(parts.info, parts.pieceLayers);
    this.leaves = new PieceLeaves({
      geometry,
      read: (views, position) => parts.read(views, position),
      trees: this.trees,
      hasher: shared.ports.hasher,
      hashJobs: shared.hashJobs,
      cache: shared.leafCache,
      clock: shared.ports.clock,
      owner: shared.nextSourceId(),
    });
    const nowMs = (): number => shared.ports.clock.monotonicMs();
    this.#server = new HashServer({
      trees: this.trees,
      leaves: this.leaves,
      holds: (piece) => parts.have.has(piece),
      nowMs,
      failed: (error) => parts.failed(error),
    });
    this.#fetch = new HashFetch<Peer>({
      trees: this.trees,
      sources: () => [...parts.peers].filter((peer) => parts.speaksV2(peer)),
      nowMs,
      layerLearned: (tree, from, to) => {
        for (const placed of this.trees.placed)
          if (placed.tree === tree)
            for (let piece = from; piece < to; piece++) parts.pieceKnown(placed.firstPiece + piece);
        this.#wantLeaves();
      },
      leavesLearned: (piece, leaves) => {
        this.#doubted.delete(piece);
        this.leaves.keep(piece, leaves);
        parts.leavesLearned(piece, leaves);
      },
      convict: (peer) => parts.convict(peer),
    });
  }

  /** Some pieces cannot be verified until peers have sent their hashes. */
  get lacksLayers(): boolean {
    return this.#fetch.lacksLayers;
  }

  /** Asks peers for the piece layers that are missing; again when other files are wanted, by what levels. */
  wantLayers(levelOf: (piece: number) => number): void {
    this.#fetch.wantLayers(levelOf);
  }

  /** A peer may have come, or may speak now. */
  peerCame(): void {
    this.#fetch.pump();
  }

  peerLeft(peer: Peer): void {
    this.#fetch.left(peer);
  }

  /** A peer's hash request. @throws ProtocolError when it floods. */
  requested(peer: Peer, request: HashRequest): void {
    this.#server.requested(peer, request);
  }

  answered(peer: Peer, request: HashRequest, hashes: Uint8Array): void {
    this.#fetch.answered(peer, request, hashes);
  }

  rejected(peer: Peer, request: HashRequest): void {
    this.#fetch.rejected(peer, request);
  }

  /** Readers moved: the leaves of what they wait for come first. True when some were asked for. */
  windowMoved(window: readonly WantedSpan[]): boolean {
    const pieces = new Set<number>();
    for (const { piece } of window) {
      if (pieces.size === MAX_READ_PIECES) break;
      pieces.add(piece);
    }
    this.#readPieces = pieces;
    this.#fetch.needLayers(pieces);
    return this.#wantLeaves();
  }

  /** Blocks of the piece can be checked one by one, now or in a moment. */
  expectsLeaves(piece: number): boolean {
    return this.leaves.cached(piece) !== undefined || this.#fetch.isAsking(piece);
  }

  /** The piece came out wrong: with its leaves the liar is known at the next try. */
  doubt(piece: number): void {
    this.#doubted.add(piece);
    const oldest = this.#doubted.values().next();
    if (this.#doubted.size > MAX_DOUBTED && !oldest.done) this.#doubted.delete(oldest.value);
    this.#wantLeaves();
  }

  /** Ten times a second while active. */
  tick(nowMs: number): void {
    if (this.#fetch.isBusy) this.#fetch.tick(nowMs);
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#fetch.stop();
    await Promise.all([this.#server.stop(), this.leaves.stop()]);
  }

  #wantLeaves(): boolean {
    const { geometry, have } = this.#parts;
    const wanted = new Set([...this.#readPieces, ...this.#doubted]);
    for (const piece of wanted)
      if (have.has(piece) || geometry.blockCount(piece) < MIN_BLOCKS || this.leaves.cached(piece) !== undefined)
        wanted.delete(piece);
    return this.#fetch.wantLeaves(wanted);
  }
}
