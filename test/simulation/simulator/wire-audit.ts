/**
 * Watches one connection of one honest engine from outside, as a very pedantic peer would: what it says must be true,
 * what it answers must have been asked, what it asks the other must have and be willing to give (BEP 3, 6).
 */
import { AppError } from '../../../src/base/errors.ts';
import type { SwarmKey } from '../../../src/base/ids.ts';
import { decodeExtendedHandshake, type ExtendedHandshake } from '../../../src/codec/extension.ts';
import { WireReader, type BlockRef, type PeerMessage } from '../../../src/codec/wire.ts';
import { areEqual } from './compare.ts';
import { HashAudit } from './hash-audit.ts';
import type { HashTruth } from './hash-truth.ts';
import type { Holding } from './holding.ts';
import type { Referee } from './referee.ts';
import type { Tap } from './tapped-socket.ts';

/** Requests a peer takes that names no `reqq`. */
const DEFAULT_REQUEST_QUEUE = 250;

export interface AuditedConnection {
  /** For reports: `3>7#12`. */
  readonly name: string;
  /** The other end, `host:port`. */
  readonly address: string;
  /** The other end keeps to the rules, so what it is owed can be counted. */
  readonly isHonest: boolean;
  readonly referee: Referee;
  nowMs(): number;
  /** What the node has and wants of the torrent. */
  holdingOf(swarmKey: SwarmKey): Holding | undefined;
  hashesOf(swarmKey: SwarmKey): HashTruth | undefined;
  touched(): void;
  /** Block bytes leave. */
  uploads(swarmKey: SwarmKey, sizeBytes: number): void;
  /** Bytes of a block come that was asked for, at some time. */
  downloads(swarmKey: SwarmKey, sizeBytes: number): void;
}

/** One direction's blocks in flight, by name. */
type Asked = Map<string, number>;

const keyOf = ({ piece, offsetBytes, lengthBytes }: BlockRef): string => `${piece}/${offsetBytes}+${lengthBytes}`;

function add(asked: Asked, key: string): void {
  asked.set(key, (asked.get(key) ?? 0) + 1);
}

/** True when one of them was there. */
function take(asked: Asked, key: string): boolean {
  const count = asked.get(key) ?? 0;
  if (count > 1) asked.set(key, count - 1);
  else asked.delete(key);
  return count > 0;
}

export class WireAudit implements Tap {
  readonly #parts: AuditedConnection;
  readonly #out: WireReader;
  readonly #in: WireReader;
  /** The remote broke the protocol; what it says no longer matters. */
  #isInDead = false;
  #isClosed = false;
  #swarmKey: SwarmKey | undefined;
  #theyAreFast = false;
  #weAreFast = false;
  // What they asked of us.
  readonly #theirs: Asked = new Map();
  /** Without the fast extension cancelled and refused requests end silently, and may still be answered. */
  readonly #maybe: Asked = new Map();
  // What we asked of them.
  readonly #ours: Asked = new Map();
  #oursCount = 0;
  /** Taken back; with the fast extension an answer is still owed. */
  readonly #takenBack: Asked = new Map();
  /** An answer came that may belong to either of two requests, or the other end is not to be trusted. */
  #isBlurred = false;
  /** The last answer to a request that was taken back. */
  #late: { readonly key: string; readonly atMs: number } | undefined;
  #chokedSinceMs: number | undefined = 0;
  readonly #allowedFast = new Set<number>();
  #theyHave: Set<number> | 'all' = new Set();
  #reqq = DEFAULT_REQUEST_QUEUE;
  /** What they call messages that name peers (BEP 11). */
  #exchangeId: number | undefined;
  #incoming = '';
  /** It was asked for; what was not ends the connection. */
  #isExpected = false;
  readonly #hashes: HashAudit;
  #block: { readonly ref: BlockRef; at: number; isRight: boolean } | undefined;

  constructor(parts: AuditedConnection) {
    this.#parts = parts;
    this.#hashes = new HashAudit(parts.name, parts.referee);
    this.#out = new WireReader({
      handshake: (handshake) => {
        this.#weAreFast = handshake.fast;
        this.#swarmKey ??= handshake.swarmKey;
        this.#note('hello');
      },
      message: (message) => this.#says(message),
      request: (piece, offsetBytes, lengthBytes) => this.#asks({ piece, offsetBytes, lengthBytes }),
      blockStart: (piece, offsetBytes, lengthBytes) => {
        this.#block = { ref: { piece, offsetBytes, lengthBytes }, at: 0, isRight: true };
      },
      blockBytes: (bytes, isLast) => this.#serves(bytes, isLast),
    });
    this.#in = new WireReader({
      handshake: (handshake) => {
        this.#theyAreFast = handshake.fast;
        this.#swarmKey ??= handshake.swarmKey;
      },
      message: (message) => this.#hears(message),
      request: (piece, offsetBytes, lengthBytes) => add(this.#theirs, keyOf({ piece, offsetBytes, lengthBytes })),
      blockStart: (piece, offsetBytes, lengthBytes) => {
        this.#incoming = keyOf({ piece, offsetBytes, lengthBytes });
        this.#isExpected = this.#ours.has(this.#incoming) || this.#takenBack.has(this.#incoming);
      },
      blockBytes: (bytes, isLast) => {
        if (this.#isExpected && this.#swarmKey !== undefined) this.#parts.downloads(this.#swarmKey, bytes.length);
        if (isLast) this.#delivered(this.#incoming);
      },
    });
  }

  touched(): void {
    this.#parts.touched();
  }

  sent(bytes: Uint8Array): void {
    try {
      this.#out.feed(bytes);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#parts.referee.broken('no fault escapes', `${this.#parts.name} sends nonsense: ${error.message}`);
    }
  }

  received(bytes: Uint8Array): void {
    if (this.#isInDead) return;
    try {
      this.#in.feed(bytes);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#isInDead = true;
    }
  }

  closed(): void {
    this.#isClosed = true;
  }

  /** Requests that got no answer on a connection that is open; without the fast extension a block may be refused silently. */
  get unanswered(): readonly string[] {
    if (this.#isClosed || this.#isInDead) return [];
    return [...(this.#areFast ? this.#theirs.keys() : []), ...this.#hashes.unanswered];
  }

  /**
   * Blocks that were asked and not brought, by what was said; undefined where that cannot be told. Of a peer that does
   * not keep to the rules only this is sure: while it chokes, nothing is to be expected of it.
   */
  get owed(): number | undefined {
    if (this.#isClosed || this.#isBlurred) return undefined;
    if (this.#parts.isHonest) return this.#oursCount;
    const owesNothing = this.#chokedSinceMs !== undefined && this.#allowedFast.size === 0;
    return owesNothing ? 0 : undefined;
  }

  /** Blocks that were asked for, taken back or not, and may still come. */
  get mayCome(): number {
    if (this.#isClosed || this.#isInDead) return 0;
    let blocks = this.#oursCount;
    for (const count of this.#takenBack.values()) blocks += count;
    return blocks;
  }

  /** The other end, `host:port`. */
  get address(): string {
    return this.#parts.address;
  }

  /** Named by the first handshake. */
  get swarmKey(): SwarmKey | undefined {
    return this.#swarmKey;
  }

  get name(): string {
    return this.#parts.name;
  }

  get #areFast(): boolean {
    return this.#theyAreFast && this.#weAreFast;
  }

  get #holding(): Holding | undefined {
    return this.#swarmKey === undefined ? undefined : this.#parts.holdingOf(this.#swarmKey);
  }

  #note(what: string): void {
    this.#parts.referee.note(`${this.#parts.name} ${what}`);
  }

  // What the engine says.

  #says(message: PeerMessage): void {
    const { referee, name } = this.#parts;
    this.#note(message.type === 'have' ? `have ${message.piece}` : message.type);
    const isSilent = this.#holding?.orders.isSilent === true;
    referee.check(!isSilent, 'a paused torrent asks and serves nothing', () => `${name} says ${message.type}`);
    this.#hashes.said(message, this.#swarmKey && this.#parts.hashesOf(this.#swarmKey));
    switch (message.type) {
      case 'have':
        return this.#claims([message.piece]);
      case 'bitfield':
        return this.#claims(setBitsOf(message.bytes, this.#holding?.torrent.info.pieceCount ?? 0));
      case 'have-all':
        return this.#claims(Array.from({ length: this.#holding?.torrent.info.pieceCount ?? 0 }, (_, piece) => piece));
      case 'choke':
        if (!this.#areFast) this.#forgive();
        return;
      case 'cancel':
        if (!take(this.#ours, keyOf(message.block))) return;
        this.#oursCount--;
        add(this.#takenBack, keyOf(message.block));
        return;
      case 'reject': {
        const wasAsked = take(this.#theirs, keyOf(message.block));
        referee.check(wasAsked, 'every answer was asked for', () => `${name} rejects ${keyOf(message.block)}`);
        return;
      }
      case 'extended': {
        const names = message.extensionId !== 0 && message.extensionId === this.#exchangeId;
        const isPrivate = names && this.#holding?.torrent.info.isPrivate === true;
        referee.check(!isPrivate, 'a private torrent keeps to its tracker', () => `${name} names peers`);
        return;
      }
      case 'unchoke':
      case 'interested':
      case 'not-interested':
      case 'have-none':
      case 'keep-alive':
      case 'suggest':
      case 'allowed-fast':
      case 'port':
      case 'hash-request':
      case 'hash-reject':
      case 'hashes':
        return;
    }
  }

  #claims(pieces: readonly number[]): void {
    const { referee, name } = this.#parts;
    const holding = this.#holding;
    for (const piece of pieces)
      referee.check(
        holding?.disk.holds(piece) === true,
        'a node claims only what it holds',
        () => `${name}: piece ${piece}`,
      );
  }

  #asks(ref: BlockRef): void {
    const { referee, name } = this.#parts;
    const key = keyOf(ref);
    this.#note(`ask ${key}`);
    add(this.#ours, key);
    this.#oursCount++;
    // Asked again in the same moment, while the first answer came in: it may have been taken for the second.
    this.#isBlurred ||= this.#late?.key === key && this.#late.atMs === this.#parts.nowMs();
    const isChoked = this.#chokedSinceMs !== undefined && this.#chokedSinceMs < this.#parts.nowMs();
    referee.check(
      !isChoked || this.#allowedFast.has(ref.piece),
      'nothing is asked of a peer that chokes',
      () => `${name}: ${key}`,
    );
    const orders = this.#holding?.orders;
    const isSilent = orders?.isSilent === true;
    referee.check(!isSilent, 'a paused torrent asks and serves nothing', () => `${name} asks ${key}`);
    const isWanted = orders?.mayAsk(ref.piece) !== false;
    referee.check(isWanted, 'only what is wanted is asked for', () => `${name}: ${key}`);
    const theyHave = this.#theyHave === 'all' || this.#theyHave.has(ref.piece);
    referee.check(theyHave, 'nothing is asked that a peer does not have', () => `${name}: ${key}`);
    referee.check(
      this.#oursCount <= this.#reqq || !this.#parts.isHonest,
      'no more is asked than a peer takes',
      () => `${name}: ${this.#oursCount} of ${this.#reqq}`,
    );
  }

  #serves(bytes: Uint8Array, isLast: boolean): void {
    const block = this.#block;
    if (block === undefined) return;
    const { ref } = block;
    const torrent = this.#holding?.torrent;
    const start = ref.piece * (torrent?.info.pieceLengthBytes ?? 0) + ref.offsetBytes + block.at;
    block.isRight &&= torrent !== undefined && areEqual(bytes, torrent.bytes.subarray(start, start + bytes.length));
    block.at += bytes.length;
    if (!isLast) return;
    const { referee, name } = this.#parts;
    const key = keyOf(ref);
    this.#note(`block ${key}`);
    referee.check(block.isRight, 'only verified bytes leave', () => `${name}: ${key}`);
    const wasAsked = take(this.#theirs, key) || take(this.#maybe, key);
    referee.check(wasAsked, 'every answer was asked for', () => `${name} serves ${key}`);
    if (this.#swarmKey !== undefined) this.#parts.uploads(this.#swarmKey, ref.lengthBytes);
  }

  /** What waits may be dropped without a word, or just be on its way. */
  #forgive(): void {
    for (const [key, count] of this.#theirs) this.#maybe.set(key, (this.#maybe.get(key) ?? 0) + count);
    this.#theirs.clear();
  }

  // What it is told.

  #hears(message: PeerMessage): void {
    this.#hashes.heard(message);
    switch (message.type) {
      case 'choke':
        this.#chokedSinceMs ??= this.#parts.nowMs();
        return this.#choked();
      case 'unchoke':
        this.#chokedSinceMs = undefined;
        return;
      case 'have':
        if (this.#theyHave !== 'all') this.#theyHave.add(message.piece);
        return;
      case 'have-all':
        this.#theyHave = 'all';
        return;
      case 'bitfield':
        for (const piece of setBitsOf(message.bytes, message.bytes.length * 8))
          if (this.#theyHave !== 'all') this.#theyHave.add(piece);
        return;
      case 'allowed-fast':
        this.#allowedFast.add(message.piece);
        return;
      case 'reject':
        return this.#rejected(keyOf(message.block));
      case 'cancel':
        if (!this.#areFast && take(this.#theirs, keyOf(message.block))) add(this.#maybe, keyOf(message.block));
        return;
      case 'extended':
        if (message.extensionId === 0) this.#hearsExtensions(decodeExtendedHandshake(message.payload));
        return;
      case 'interested':
      case 'not-interested':
      case 'have-none':
      case 'keep-alive':
      case 'suggest':
      case 'port':
      case 'hash-request':
      case 'hash-reject':
      case 'hashes':
        return;
    }
  }

  #hearsExtensions({ requestQueue, extensions }: ExtendedHandshake): void {
    this.#reqq = requestQueue ?? this.#reqq;
    this.#exchangeId = extensions.ut_pex ?? this.#exchangeId;
  }

  /** What was asked will not come, but for pieces that are given to the choked. */
  #choked(): void {
    for (const [key, count] of this.#ours) {
      if (this.#allowedFast.has(Number.parseInt(key, 10))) continue;
      this.#ours.delete(key);
      this.#oursCount -= count;
      this.#takenBack.set(key, (this.#takenBack.get(key) ?? 0) + count);
    }
  }

  #delivered(key: string): void {
    if (this.#takenBack.has(key)) {
      this.#isBlurred ||= this.#ours.has(key);
      if (!this.#ours.has(key)) take(this.#takenBack, key);
      this.#late = { key, atMs: this.#parts.nowMs() };
    }
    if (take(this.#ours, key)) this.#oursCount--;
  }

  /** Cancels are answered first, in the order they were sent. */
  #rejected(key: string): void {
    if (!take(this.#takenBack, key) && take(this.#ours, key)) this.#oursCount--;
  }
}

/** Pieces named by a bitfield message; bits behind the last piece do not count. */
function setBitsOf(bytes: Uint8Array, pieceCount: number): number[] {
  const pieces: number[] = [];
  for (let piece = 0; piece < Math.min(pieceCount, bytes.length * 8); piece++)
    if (((bytes[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0) pieces.push(piece);
  return pieces;
}
