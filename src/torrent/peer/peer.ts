/**
 * One peer of one torrent after the handshake: its choke and interest flags, what it has, what we asked of it and what
 * it asked of us. It keeps the protocol's discipline and reports to its torrent; which blocks to ask for and whom to
 * unchoke is decided elsewhere.
 */
import { toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Bitfield } from '../../codec/bitfield.ts';
import { encodeDontHave, type ExtensionName } from '../../codec/extension.ts';
import type { Handshake } from '../../codec/handshake.ts';
import { peerClientName } from '../../codec/peer-id.ts';
import {
  encodeBitfield,
  encodeBlockRefs,
  encodeExtended,
  encodePieceIndex,
  encodeSignal,
  encodeKeepAlive,
} from '../../codec/wire-encode.ts';
import { BLOCK_BYTES, MAX_BLOCK_BYTES, type BlockRef, type PeerMessage } from '../../codec/wire.ts';
import type { AddressShare } from '../limits/address-traffic.ts';
import type { Inflow } from '../limits/inflow.ts';
import { RateMeter } from '../limits/rate.ts';
import type { BlockSource } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { PeerAddress } from '../ports.ts';
import { BlockIntake } from './block-intake.ts';
import type { Connection, ConnectionOwner } from './connection.ts';
import { FastGrants } from './fast-grants.ts';
import { gateOf } from './peer-gate.ts';
import type { PeerHost, PeerParts } from './peer-host.ts';
import { PeerPieces } from './peer-pieces.ts';
import { RequestPipeline } from './pipeline.ts';
import { Punctuality } from './punctuality.ts';
import { RequestLedger } from './request-ledger.ts';
import { uploadPortsOf } from './upload-ports.ts';
import { UploadQueue } from './upload-queue.ts';

/** Requests a peer takes when it says nothing (`reqq`; the value of the oldest clients). */
const DEFAULT_REQUEST_QUEUE = 250;

const MIN_QUEUE_LIMIT = 4;

export class Peer implements ConnectionOwner, BlockSource {
  readonly sourceId: number;
  readonly connection: Connection;
  readonly address: AddressShare;
  readonly inflow: Inflow;
  readonly handshake: Handshake;
  readonly isOutgoing: boolean;
  readonly connectedAtMs: number;
  readonly pieces = new PeerPieces();
  readonly ledger = new RequestLedger();
  readonly grants = new FastGrants();
  readonly pipeline: RequestPipeline;
  readonly downloaded: RateMeter;
  readonly uploaded: RateMeter;
  amChoking = true;
  amInterested = false;
  isChoking = true;
  isInterested = false;
  /** Delivered nothing for long although asked. */
  isSnubbed = false;
  /** Whether it kept those waiting who asked it. */
  readonly punctuality = new Punctuality();
  /** Ids under which it wants to receive our extension messages. */
  extensionIds: Readonly<Partial<Record<ExtensionName, number>>> = {};
  isUploadOnly = false;
  client: string;
  /** Where it can be dialled: remote host and announced port for incoming ones. */
  listenAddress: PeerAddress | undefined;
  requestQueueLimit = DEFAULT_REQUEST_QUEUE;
  lastBlockAtMs: number;
  lastReceivedAtMs: number;
  lastSentAtMs: number;
  /** When blocks were last chosen for it. */
  servedAtMs = -1;
  chokeChangedAtMs: number;
  /** What it asked of us; undefined while the metadata is not known. */
  uploads: UploadQueue | undefined;
  readonly #host: PeerHost<Peer>;
  #store: PieceStore | undefined;
  #intake: BlockIntake | undefined;
  #saidPieces = false;

  constructor(parts: PeerParts<Peer>) {
    this.sourceId = parts.sourceId;
    this.connection = parts.connection;
    this.address = parts.address;
    this.handshake = parts.handshake;
    this.isOutgoing = parts.isOutgoing;
    this.client = peerClientName(parts.handshake.peerId);
    this.#host = parts.host;
    const nowMs = parts.host.clock.monotonicMs();
    this.connectedAtMs = nowMs;
    this.lastBlockAtMs = nowMs;
    this.lastReceivedAtMs = nowMs;
    this.lastSentAtMs = nowMs;
    this.chokeChangedAtMs = nowMs;
    this.inflow = parts.host.openInflow(gateOf(this), parts.address);
    this.pipeline = new RequestPipeline(nowMs);
    this.downloaded = new RateMeter(nowMs);
    this.uploaded = new RateMeter(nowMs);
    if (parts.isOutgoing) this.listenAddress = parts.connection.remote;
  }

  get peerIdHex(): string {
    return toHex(this.handshake.peerId);
  }

  get isSeed(): boolean {
    return this.pieces.isSeed;
  }

  get isClosed(): boolean {
    return this.connection.isClosed;
  }

  /** Whether requests make sense now, at least for some pieces. */
  get mayRequest(): boolean {
    return this.amInterested && (!this.isChoking || this.pieces.servesChoked);
  }

  /** Bytes asked for and not yet here, roughly. */
  get queuedBytes(): number {
    return this.ledger.size * BLOCK_BYTES;
  }

  /** The block that is just coming in, as a key. */
  get receiving(): number | undefined {
    return this.#intake?.current;
  }

  /** Whether this very piece may be asked of it. */
  serves(piece: number): boolean {
    return this.pieces.serves(piece, this.isChoking);
  }

  /** The metadata is known: opens both directions. @throws ProtocolError when what it said before does not fit. */
  attach(store: PieceStore): void {
    this.connection.limitBitfield(Math.ceil(store.geometry.pieceCount / 8));
    this.pieces.size(store.geometry.pieceCount);
    this.#store = store;
    this.#intake = new BlockIntake(this, store, this.ledger);
    this.uploads = new UploadQueue(uploadPortsOf(this, store, this.#host, (blocks) => this.#reject(blocks)));
  }

  // What we say.

  send(bytes: Uint8Array): void {
    this.lastSentAtMs = this.#host.clock.monotonicMs();
    this.connection.send(bytes);
  }

  /** First message after the handshakes: what we have (BEP 3, 6). */
  sayPieces(have: Bitfield | undefined): void {
    if (this.handshake.fast && (have === undefined || have.isEmpty)) this.send(encodeSignal('haveNone'));
    else if (this.handshake.fast && have?.isComplete) this.send(encodeSignal('haveAll'));
    else if (have !== undefined && !have.isEmpty) this.send(encodeBitfield(have));
  }

  /** We no longer have the piece: told by lt_donthave (BEP 54); false to a peer that would go on asking for it. */
  sayDontHave(piece: number): boolean {
    this.uploads?.refuse((block) => block.piece === piece);
    return this.pieces.has(piece) || this.sayExtended('lt_donthave', encodeDontHave(piece));
  }

  sayHave(piece: number): void {
    if (!this.pieces.has(piece)) this.send(encodePieceIndex('have', piece));
  }

  /** Sends an extension message; false when the peer does not want it. */
  sayExtended(name: ExtensionName, payload: Uint8Array): boolean {
    const id = this.extensionIds[name];
    if (id === undefined) return false;
    this.send(encodeExtended(id, payload));
    return true;
  }

  setInterested(isInterested: boolean): void {
    if (this.amInterested === isInterested) return;
    this.amInterested = isInterested;
    this.send(encodeSignal(isInterested ? 'interested' : 'notInterested'));
  }

  setChoking(isChoking: boolean): void {
    if (this.amChoking === isChoking) return;
    this.amChoking = isChoking;
    this.chokeChangedAtMs = this.#host.clock.monotonicMs();
    this.send(encodeSignal(isChoking ? 'choke' : 'unchoke'));
    if (isChoking) this.uploads?.refuse((block) => !this.grants.has(block.piece));
  }

  /** Promises the piece even while choked (BEP 6). */
  allowFast(piece: number): void {
    this.grants.add(piece, this.#sized().geometry.pieceBytes(piece));
    this.send(encodePieceIndex('allowedFast', piece));
  }

  keepAlive(): void {
    this.send(encodeKeepAlive());
  }

  /** Asks for blocks, all in one write. */
  request(blockKeys: readonly number[]): void {
    const { geometry } = this.#sized();
    const nowMs = this.#host.clock.monotonicMs();
    if (this.ledger.size === 0) this.lastBlockAtMs = nowMs;
    const refs = blockKeys.map((blockKey) => {
      this.ledger.add(blockKey, this.pipeline.sent(this.ledger.size + 1, nowMs));
      return geometry.blockRef(blockKey);
    });
    this.send(encodeBlockRefs('request', refs));
  }

  /** Takes requests back, all in one write. A block that is just coming in is left, unless the peer is too slow. */
  cancel(blockKeys: readonly number[], evenCurrent = false): void {
    const spared = evenCurrent ? undefined : this.#intake?.current;
    const cancelled = blockKeys.filter((blockKey) => blockKey !== spared && this.ledger.cancel(blockKey));
    if (cancelled.length === 0) return;
    const { geometry } = this.#sized();
    this.send(
      encodeBlockRefs(
        'cancel',
        cancelled.map((blockKey) => geometry.blockRef(blockKey)),
      ),
    );
    this.#host.released(this, cancelled);
  }

  // What it says.

  message(message: PeerMessage): void {
    switch (message.type) {
      case 'keep-alive':
        return;
      case 'port':
        return this.#host.dhtPortHeard(this, message.port);
      case 'hash-request':
        return this.#host.hashesRequested(this, message.request);
      case 'hashes':
        return this.#host.hashesReceived(this, message.request, message.hashes);
      case 'hash-reject':
        return this.#host.hashesRejected(this, message.request);
      case 'choke':
        return this.#onChoke();
      case 'unchoke':
        this.isChoking = false;
        return this.#host.unchoked(this);
      case 'interested':
      case 'not-interested':
        this.isInterested = message.type === 'interested';
        return this.#host.interestChanged(this);
      case 'have':
        if (this.pieces.add(message.piece)) this.#host.gained(this, message.piece);
        return;
      case 'bitfield':
        return this.#onPieces(message.bytes);
      case 'have-all':
        return this.#onPieces('all');
      case 'have-none':
        return this.#onPieces('none');
      case 'cancel':
        return this.uploads?.cancel(message.block);
      case 'reject':
        return this.#onReject(message.block);
      case 'allowed-fast':
        return this.#onAllowedFast(message.piece);
      case 'suggest':
        return this.pieces.suggest(message.piece);
      case 'extended':
        return this.#host.extended(this, message.extensionId, message.payload);
    }
  }

  turn(): void {
    this.lastReceivedAtMs = this.#host.clock.monotonicMs();
    this.#host.turn(this);
    this.uploads?.pump();
  }

  drained(): void {
    this.uploads?.drained();
  }

  closed(cause: Error | undefined): void {
    this.#intake?.abandon();
    this.uploads?.close();
    const lost = this.ledger.cancelAll();
    if (lost.length > 0) this.#host.released(this, lost);
    this.inflow.close();
    this.#host.closed(this, cause);
  }

  requested(piece: number, offsetBytes: number, lengthBytes: number): void {
    const block: BlockRef = { piece, offsetBytes, lengthBytes };
    if (lengthBytes > MAX_BLOCK_BYTES) throw new ProtocolError('request for too large a block', { lengthBytes });
    // Before we know the torrent ourselves there is nothing to serve, and nothing we could have promised.
    if (this.#store === undefined || this.uploads === undefined) return this.#reject([block]);
    if (!this.#store.geometry.contains(piece, offsetBytes, lengthBytes))
      throw new ProtocolError('request outside the torrent', { piece, offsetBytes, lengthBytes });
    const isAllowed = !this.amChoking || this.grants.take(piece, lengthBytes, this.pieces.have?.count ?? 0);
    if (isAllowed && this.#store.have.has(piece)) this.uploads.add(block);
    else this.#reject([block]);
  }

  blockStart(piece: number, offsetBytes: number, lengthBytes: number): void {
    if (this.#intake === undefined) throw new ProtocolError('a block before the metadata');
    this.#intake.begin(piece, offsetBytes, lengthBytes);
  }

  blockBytes(bytes: Uint8Array, isLast: boolean): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.downloaded.add(bytes.length, nowMs);
    this.inflow.came(bytes.length, nowMs);
    const block = this.#intake?.take(bytes, isLast, nowMs);
    if (block === undefined) return;
    this.lastBlockAtMs = nowMs;
    this.isSnubbed = false;
    const sizeBytes = this.#sized().geometry.blockRef(block.blockKey).lengthBytes;
    // What is of no use answers the request that was taken back, or a second one would lose its answer.
    const settled = this.ledger.settleBlock(block.blockKey, block.isNew);
    // What comes after it was taken back shows that the peer is there, not that it can be waited for.
    if (settled?.wasOpen) this.punctuality.delivered();
    if (settled !== undefined) this.pipeline.delivered(sizeBytes, settled.request, nowMs, settled.isAmbiguous);
    this.#host.received(this, { ...block, wasOpen: settled?.wasOpen ?? false }, sizeBytes);
  }

  #sized(): PieceStore {
    if (this.#store === undefined) throw new ProtocolError('pieces before the metadata');
    return this.#store;
  }

  /** Only peers with the fast extension keep count of what they asked for (BEP 6). */
  #reject(blocks: readonly BlockRef[]): void {
    if (this.handshake.fast) this.send(encodeBlockRefs('reject', blocks));
  }

  #onChoke(): void {
    this.isChoking = true;
    const current = this.#intake?.current;
    const lost = [...this.ledger.open.keys()].filter(
      (blockKey) => blockKey !== current && !this.pieces.isAllowedFast(this.#sized().geometry.pieceOf(blockKey)),
    );
    for (const blockKey of lost) this.ledger.cancel(blockKey);
    if (lost.length > 0) this.#host.released(this, lost);
  }

  #onPieces(pieces: Uint8Array | 'all' | 'none'): void {
    if (this.#saidPieces) {
      this.#onRestatement(pieces);
      return;
    }
    this.#saidPieces = true;
    if (pieces === 'none') return;
    if (pieces === 'all') this.pieces.setAll();
    else this.pieces.setBits(pieces);
    this.#host.gained(this, undefined);
  }

  /** BEP 3 and 6 allow one bitfield, at the start; aria2 sends further ones instead of many HAVE messages. */
  #onRestatement(pieces: Uint8Array | 'all' | 'none'): void {
    if (typeof pieces === 'string') throw new ProtocolError(`a second statement of pieces: ${pieces}`);
    const { gained, lost } = this.pieces.restate(pieces);
    for (const piece of gained) this.#host.gained(this, piece);
    for (const piece of lost) this.#host.lost(this, piece);
  }

  #onReject(block: BlockRef): void {
    const blockKey = this.#store?.geometry.keyOf(block.piece, block.offsetBytes, block.lengthBytes);
    const settled = blockKey === undefined ? undefined : this.ledger.settleReject(blockKey);
    if (blockKey === undefined || settled === undefined)
      throw new ProtocolError('reject of something never asked for', { piece: block.piece });
    if (!settled.wasOpen) return;
    if (!this.isChoking)
      this.requestQueueLimit = Math.max(MIN_QUEUE_LIMIT, Math.min(this.requestQueueLimit, this.ledger.size));
    if (this.pieces.refused(block.piece, this.isChoking)) this.#host.lost(this, block.piece);
    this.#host.refused(this, blockKey);
  }

  #onAllowedFast(piece: number): void {
    this.pieces.allowFast(piece);
    if (this.isChoking && this.#store !== undefined) this.#host.unchoked(this);
  }
}
