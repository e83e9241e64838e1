/**
 * Fetching hashes of a v2 torrent from peers (BEP 52): the piece layers a magnet does not bring, and the leaves of pieces
 * somebody waits for. Invariants: an answer counts only when it proves itself against a node we know; each request has
 * one owner and one end (answer, reject, timeout or loss of the peer); whoever sends a wrong proof is convicted.
 */
import { equalBytes, toHex } from '../../base/bytes.ts';
import { SECOND_MS } from '../../base/units.ts';
import { impliedAncestor } from '../../codec/merkle.ts';
import { encodeHashRequest } from '../../codec/wire-encode.ts';
import { HASH_BYTES, type HashRequest } from '../../codec/wire-hashes.ts';
import type { FileTree, HashTrees } from './hash-trees.ts';
import { type HashWish, layerWishes, layerWishOf, leafWishes, type LeafWish, wishKey } from './hash-wishes.ts';

/** Requests one peer may have open; libtorrent grants itself two. */
const MAX_PER_PEER = 4;
const MAX_OPEN = 32;
const TIMEOUT_MS = { layer: 4 * SECOND_MS, leaves: SECOND_MS };
/**
 * A peer that refused or was silent is not asked for the same again for so long; doubled each time. Leaves are soon
 * there: libtorrent knows those of a piece it has read.
 */
const FIRST_PAUSE_MS = { layer: 2 * SECOND_MS, leaves: SECOND_MS / 4 };
const MAX_PAUSE_MS = 60 * SECOND_MS;

/** Whoever may be asked: a peer. */
export interface HashSource {
  readonly isClosed: boolean;
  send(bytes: Uint8Array): void;
}

export interface HashFetchParts<Source extends HashSource> {
  readonly trees: HashTrees;
  /** Peers that speak v2 of this torrent. */
  sources(): Iterable<Source>;
  nowMs(): number;
  /** Nodes [from, to) of the file's piece layer are known now. */
  layerLearned(tree: FileTree, from: number, to: number): void;
  /** All leaves of the piece are known now. */
  leavesLearned(piece: number, leaves: Uint8Array): void;
  /** It sent a proof that does not hold. */
  convict(source: Source): void;
}

/** A wish on its way to being fulfilled. */
interface Pursuit<Source> {
  readonly wish: HashWish;
  /** Who is asked now, and since when. */
  asked: { readonly source: Source; readonly atMs: number } | undefined;
  /** When a source that failed may be asked again. */
  readonly pausedUntilMs: Map<Source, number>;
  failures: number;
}

interface PartialLeaves {
  readonly leaves: Uint8Array;
  /** First leaf of each answer that is in. */
  readonly received: Set<number>;
}

export class HashFetch<Source extends HashSource> {
  readonly #parts: HashFetchParts<Source>;
  /** In the order of their urgency: leaves first. */
  readonly #leafPursuits = new Map<string, Pursuit<Source>>();
  readonly #layerPursuits = new Map<string, Pursuit<Source>>();
  /** Of these, the ones somebody waits for now. */
  #neededLayers: ReadonlyMap<string, Pursuit<Source>> = new Map();
  /** Leaves of pieces that need several answers, until they are complete. */
  readonly #partialLeaves = new Map<number, PartialLeaves>();
  #wantedPieces: ReadonlySet<number> = new Set();
  readonly #openBySource = new Map<Source, number>();
  #isStopped = false;

  constructor(parts: HashFetchParts<Source>) {
    this.#parts = parts;
  }

  /** Whether something is still wished for. */
  get isBusy(): boolean {
    return this.#leafPursuits.size + this.#layerPursuits.size > 0;
  }

  /** Parts of the piece layers are still wished for. */
  get lacksLayers(): boolean {
    return this.#layerPursuits.size > 0;
  }

  /** Asks for every part of the piece layers that is not known, those of the most wanted files first. */
  wantLayers(levelOf: (piece: number) => number): void {
    const placed = this.#parts.trees.placed.map(({ tree, firstPiece }) => ({ tree, level: levelOf(firstPiece) }));
    for (const { tree } of placed.toSorted((one, other) => other.level - one.level))
      for (const wish of layerWishes(tree)) this.#addLast(this.#layerPursuits, wish);
    this.pump();
  }

  /** The parts of the layers that these pieces need are asked for before all others, in this order. */
  needLayers(pieces: Iterable<number>): void {
    const needed = new Map<string, Pursuit<Source>>();
    for (const piece of pieces) {
      const placed = this.#parts.trees.at(piece);
      const wish = placed && layerWishOf(placed.tree, piece - placed.firstPiece);
      const pursuit = wish && this.#layerPursuits.get(keyOf(wish));
      if (wish !== undefined && pursuit !== undefined) needed.set(keyOf(wish), pursuit);
    }
    this.#neededLayers = needed;
  }

  /**
   * The leaves of these pieces are wanted, soonest first, and no others any more; those whose node is unknown have to wait.
   * What is known is the caller's to leave out. True when somebody was asked.
   */
  wantLeaves(pieces: ReadonlySet<number>): boolean {
    this.#wantedPieces = pieces;
    for (const piece of this.#partialLeaves.keys()) if (!pieces.has(piece)) this.#partialLeaves.delete(piece);
    this.#forgetUnwanted();
    for (const piece of pieces) {
      const placed = this.#parts.trees.at(piece);
      if (placed === undefined) continue;
      const received = this.#partialLeaves.get(piece)?.received;
      for (const wish of leafWishes(placed.tree, piece - placed.firstPiece, piece))
        if (received?.has(wish.firstLeaf) !== true) this.#add(this.#leafPursuits, wish);
    }
    return this.pump();
  }

  /** Somebody was asked for leaves of the piece, and may still answer. */
  isAsking(piece: number): boolean {
    for (const { wish, asked } of this.#leafPursuits.values())
      if (asked !== undefined && wish.kind === 'leaves' && wish.piece === piece) return true;
    return false;
  }

  /** Asks whoever may be asked; true when somebody was. */
  pump(): boolean {
    if (this.#isStopped || !this.isBusy) return false;
    this.#forgetUnwanted();
    const nowMs = this.#parts.nowMs();
    const sources = [...this.#parts.sources()].filter((source) => !source.isClosed);
    let hasAsked = false;
    for (const pursuits of [this.#leafPursuits, this.#neededLayers, this.#layerPursuits])
      for (const [key, pursuit] of pursuits) {
        if (!this.#hasRoom(sources)) return hasAsked;
        if (pursuits === this.#neededLayers && !this.#layerPursuits.has(key)) continue; // it is here
        if (pursuit.asked === undefined && this.#ask(pursuit, sources, nowMs)) hasAsked = true;
      }
    return hasAsked;
  }

  /** An answer. What nobody asked this source for is ignored: it may be late. */
  answered(source: Source, request: HashRequest, hashes: Uint8Array): void {
    const found = this.#find(source, request);
    if (found === undefined) return;
    const { pursuits, key, pursuit } = found;
    this.#release(pursuit);
    if (!isProof(pursuit.wish, hashes)) {
      this.#parts.convict(source);
      this.pump();
      return;
    }
    pursuits.delete(key);
    this.#learn(pursuit.wish, hashes.slice(0, request.length * HASH_BYTES));
    this.pump();
  }

  /** It will not answer this one. */
  rejected(source: Source, request: HashRequest): void {
    const found = this.#find(source, request);
    if (found === undefined) return;
    this.#failed(found.pursuit, source);
    this.pump();
  }

  /** The peer is gone. */
  left(source: Source): void {
    for (const pursuits of [this.#leafPursuits, this.#layerPursuits])
      for (const pursuit of pursuits.values()) {
        pursuit.pausedUntilMs.delete(source);
        if (pursuit.asked?.source === source) this.#release(pursuit);
      }
    this.#openBySource.delete(source);
    this.pump();
  }

  /** Once a second or oftener: gives up who is silent, and asks again whose pause is over. */
  tick(nowMs: number): void {
    for (const pursuits of [this.#leafPursuits, this.#layerPursuits])
      for (const pursuit of pursuits.values())
        if (pursuit.asked !== undefined && nowMs - pursuit.asked.atMs > TIMEOUT_MS[pursuit.wish.kind])
          this.#failed(pursuit, pursuit.asked.source);
    this.pump();
  }

  stop(): void {
    this.#isStopped = true;
    this.#leafPursuits.clear();
    this.#layerPursuits.clear();
    this.#partialLeaves.clear();
    this.#openBySource.clear();
  }

  #add(pursuits: Map<string, Pursuit<Source>>, wish: HashWish): void {
    const key = keyOf(wish);
    if (!pursuits.has(key)) pursuits.set(key, { wish, asked: undefined, pausedUntilMs: new Map(), failures: 0 });
  }

  #addLast(pursuits: Map<string, Pursuit<Source>>, wish: HashWish): void {
    const key = keyOf(wish);
    const pursuit = pursuits.get(key) ?? { wish, asked: undefined, pausedUntilMs: new Map(), failures: 0 };
    pursuits.delete(key);
    pursuits.set(key, pursuit);
  }

  /**
   * Leaves nobody waits for any more, and layers that came by themselves; an open request may still bring its answer, or
   * end in its time.
   */
  #forgetUnwanted(): void {
    for (const [key, { wish, asked }] of this.#leafPursuits)
      if (asked === undefined && wish.kind === 'leaves' && !this.#wantedPieces.has(wish.piece))
        this.#leafPursuits.delete(key);
    for (const [key, { wish, asked }] of this.#layerPursuits)
      if (asked === undefined && wish.tree.known.isComplete) this.#layerPursuits.delete(key);
  }

  /** Whether one more request fits the limits. */
  #hasRoom(sources: readonly Source[]): boolean {
    let count = 0;
    for (const open of this.#openBySource.values()) count += open;
    return count < MAX_OPEN && sources.some((source) => (this.#openBySource.get(source) ?? 0) < MAX_PER_PEER);
  }

  /** Asks the source with the fewest open requests. */
  #ask(pursuit: Pursuit<Source>, sources: readonly Source[], nowMs: number): boolean {
    let best: Source | undefined;
    let bestOpen = MAX_PER_PEER;
    for (const source of sources) {
      const open = this.#openBySource.get(source) ?? 0;
      if (open >= bestOpen || (pursuit.pausedUntilMs.get(source) ?? 0) > nowMs) continue;
      best = source;
      bestOpen = open;
    }
    if (best === undefined) return false;
    pursuit.asked = { source: best, atMs: nowMs };
    this.#openBySource.set(best, bestOpen + 1);
    best.send(encodeHashRequest('hashRequest', pursuit.wish.request));
    return true;
  }

  #find(
    source: Source,
    request: HashRequest,
  ): { pursuits: Map<string, Pursuit<Source>>; key: string; pursuit: Pursuit<Source> } | undefined {
    const key = wishKey({ request }, toHex(request.piecesRoot));
    for (const pursuits of [this.#leafPursuits, this.#layerPursuits]) {
      const pursuit = pursuits.get(key);
      if (pursuit?.asked?.source === source) return { pursuits, key, pursuit };
    }
    return undefined;
  }

  #failed(pursuit: Pursuit<Source>, source: Source): void {
    this.#release(pursuit);
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS[pursuit.wish.kind] * 2 ** pursuit.failures++);
    pursuit.pausedUntilMs.set(source, this.#parts.nowMs() + pauseMs);
  }

  /** Ends the request that is open for it. */
  #release(pursuit: Pursuit<Source>): void {
    const source = pursuit.asked?.source;
    pursuit.asked = undefined;
    if (source === undefined) return;
    const open = (this.#openBySource.get(source) ?? 1) - 1;
    if (open > 0) this.#openBySource.set(source, open);
    else this.#openBySource.delete(source);
  }

  #learn(wish: HashWish, row: Uint8Array): void {
    if (wish.kind === 'leaves') this.#learnLeaves(wish, row);
    else {
      const { index, length } = wish.request;
      wish.tree.learn(index, row);
      this.#parts.layerLearned(wish.tree, index, Math.min(index + length, wish.tree.pieceCount));
    }
  }

  /** Joins the answers about one piece; padding behind its last leaf is left out. */
  #learnLeaves({ tree, piece, firstLeaf, request }: LeafWish, row: Uint8Array): void {
    const pieceInFile = Math.floor(request.index / 2 ** tree.pieceHeight);
    const count = tree.leavesIn(pieceInFile);
    const partial = this.#partialLeaves.get(piece) ?? {
      leaves: new Uint8Array(count * HASH_BYTES),
      received: new Set<number>(),
    };
    partial.leaves.set(row.subarray(0, (count - firstLeaf) * HASH_BYTES), firstLeaf * HASH_BYTES);
    partial.received.add(firstLeaf);
    if (partial.received.size < Math.ceil(count / request.length)) this.#partialLeaves.set(piece, partial);
    else {
      this.#partialLeaves.delete(piece);
      this.#parts.leavesLearned(piece, partial.leaves);
    }
  }
}

function keyOf(wish: HashWish): string {
  return wishKey(wish, toHex(wish.request.piecesRoot));
}

/** Whether the answer leads up to the node we know, through exactly as many uncles as that takes. */
function isProof({ request, ancestor, tree, kind }: HashWish, hashes: Uint8Array): boolean {
  const { baseLayer: height, index, length } = request;
  const top = kind === 'leaves' ? tree.pieceHeight : tree.height;
  const uncles = hashes.subarray(length * HASH_BYTES);
  if (uncles.length / HASH_BYTES !== top - height - Math.log2(length)) return false;
  const row = hashes.subarray(0, length * HASH_BYTES);
  return equalBytes(impliedAncestor({ row, height, index, uncles }), ancestor);
}
