/**
 * Media: everything people do with files here, behind one door. Every use case takes a Claim where it matters who asks,
 * throws AppErrors only, and leaves nothing half-done: after a crash at any moment `recover` completes what was
 * acknowledged and removes what was not.
 */
import type { Claim } from '../accounts/claim.ts';
import { Emitter } from '../base/emitter.ts';
import { LengthRequired } from '../base/errors.ts';
import type { Pubkey, Sha256, SwarmKey, UploadId } from '../base/ids.ts';
import { TaskGroup } from '../base/tasks.ts';
import type { BlobReader } from '../store/blobs.ts';
import { Admission, assertMayUpload } from './admission.ts';
import { BoundedMap } from './bounded-map.ts';
import type { MediaContext, MediaLimits, MediaPorts } from './context.ts';
import { Finisher } from './finisher.ts';
import type { Stored } from './finisher.ts';
import { ingest } from './ingest.ts';
import { KeyedLock } from './keyed-lock.ts';
import { MediaReads } from './media-reads.ts';
import type { MediaEvents, MediaList, MediaQuery, Medium, RecoveryReport } from './medium.ts';
import type { TorrentRow, Upload, UploadWish, Verification } from './medium.ts';
import { nameOldTorrents } from './obfuscated-keys.ts';
import { ReaderCache } from './reader-cache.ts';
import { Recovery } from './recovery.ts';
import { Removal } from './removal.ts';
import { ownerOf, scopeOf, TOTAL } from './space.ts';
import type { BlobRow } from './tables.ts';
import { Uploads } from './uploads.ts';
import { Verifier } from './verifier.ts';

/** Media looked up lately, so that a range request costs no query. */
const MAX_KNOWN_MEDIA = 4_096;
/** Uploads removed per run of `expire`. */
const MAX_EXPIRED = 500;

export class Media {
  readonly events = new Emitter<MediaEvents>();
  readonly #context: MediaContext;
  readonly #tasks: TaskGroup;
  readonly #known = new BoundedMap<Sha256, Medium>(MAX_KNOWN_MEDIA);
  readonly #served = new BoundedMap<Sha256, BlobRow>(MAX_KNOWN_MEDIA);
  readonly #admission: Admission;
  readonly #finisher: Finisher;
  readonly #uploads: Uploads;
  readonly #removal: Removal;
  readonly #verifier: Verifier;

  constructor(ports: MediaPorts, limits: MediaLimits) {
    this.#tasks = new TaskGroup(ports.log);
    this.#context = {
      ...ports,
      limits,
      reads: new MediaReads(ports.rows),
      events: this.events,
      readers: new ReaderCache(ports.store, limits.maxIdleReaders, ports.log),
      blobLocks: new KeyedLock(),
      stopping: this.#tasks.signal,
      inBackground: (name, task) => this.#tasks.run(name, async (signal) => void (await task(signal))),
      servedBlob: (sha256) => this.#servedBlob(sha256),
      forgetMedium: (sha256) => {
        this.#known.delete(sha256);
        this.#served.delete(sha256);
      },
    };
    this.#admission = new Admission(this.#context);
    this.#finisher = new Finisher(this.#context);
    this.#uploads = new Uploads(this.#context, this.#admission, this.#finisher);
    this.#removal = new Removal(this.#context);
    this.#verifier = new Verifier(this.#context);
  }

  /** Preflight of an upload. @throws LengthRequired, Unauthorized, Forbidden, InvalidInput, TooLarge, UnsupportedType, NoSpace */
  checkUpload(claim: Claim, wish: UploadWish): void {
    if (wish.sizeBytes === undefined) throw new LengthRequired('say how many bytes you want to send');
    assertMayUpload(claim, wish, this.#context.limits);
    this.#admission.assertRoom(claim, wish.sizeBytes);
  }

  /**
   * Reserves room and begins an upload. Bytes that are stored already need not be sent: then it is finished at once.
   * @throws Unauthorized, Forbidden, InvalidInput, TooLarge, UnsupportedType, NoSpace
   */
  async createUpload(claim: Claim, wish: UploadWish): Promise<Upload> {
    const upload = await this.#uploads.create(claim, wish);
    if (upload.sizeBytes !== 0 || upload.state === 'finished') return upload;
    await this.#uploads.finish(claim, upload.id, this.#tasks.signal);
    return this.#uploads.find(claim, upload.id) ?? upload;
  }

  /** Undefined when unknown or expired. @throws Unauthorized, Forbidden when it is somebody else's */
  findUpload(claim: Claim, id: UploadId): Upload | undefined {
    return this.#uploads.find(claim, id);
  }

  /** Says once how long an upload of unknown length will be. @throws NotFound, Forbidden, Conflict, TooLarge, NoSpace */
  declareLength(claim: Claim, id: UploadId, sizeBytes: number): Promise<Upload> {
    return this.#uploads.declareLength(claim, id, sizeBytes);
  }

  /**
   * Appends at `offset`; finishes when the last byte is in. The offset that comes back survives a power cut, and so does
   * what arrived of a body that broke off. A chunk is not looked at any more once the next one is asked for. @throws NotFound, Forbidden, Conflict, TooLarge, NoSpace, HashMismatch,
   * UnsupportedType, StorageFailed, Cancelled
   */
  append(
    claim: Claim,
    id: UploadId,
    offset: number,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Upload> {
    return this.#uploads.append(claim, id, offset, body, signal);
  }

  /** The medium of an upload that has all its bytes; asking again changes nothing. @throws NotFound, Conflict, and as `append` */
  async finish(claim: Claim, id: UploadId, signal: AbortSignal): Promise<Medium> {
    return (await this.#uploads.finish(claim, id, signal)).medium;
  }

  /** Gives an upload up. @throws NotFound, Forbidden, Conflict while it is written to */
  terminate(claim: Claim, id: UploadId): Promise<void> {
    return this.#uploads.terminate(claim, id);
  }

  /**
   * Stores one body, or nothing. `isNew` is false when the same bytes were kept here before.
   * @throws as `createUpload` and `append`, and InvalidInput when the body is shorter than declared
   */
  ingest(claim: Claim, body: AsyncIterable<Uint8Array>, wish: UploadWish, signal: AbortSignal): Promise<Stored> {
    return ingest({ uploads: this.#uploads, context: this.#context }, claim, body, wish, signal);
  }

  /** A blob somebody keeps, under its first publisher's name. */
  find(sha256: Sha256): Medium | undefined {
    const known = this.#known.get(sha256);
    if (known !== undefined) return known;
    const medium = this.#context.reads.medium(sha256);
    if (medium !== undefined) this.#known.set(sha256, medium);
    return medium;
  }

  /** An upload under way whose sender declared this hash; its browser may seed it already. */
  findPending(sha256: Sha256): Upload | undefined {
    const row = this.#context.reads.unfinishedBySha(sha256);
    return row && this.#uploads.describe(row);
  }

  /** Newest first. @throws InvalidInput for a bad cursor or limit */
  list(query: MediaQuery): MediaList {
    return this.#context.reads.list(query);
  }

  /** Everyone who keeps the blob; undefined stands for visitors without a key. */
  ownersOf(sha256: Sha256): readonly (Pubkey | undefined)[] {
    return this.#context.reads.owners(sha256).map((owner) => (owner === '' ? undefined : (owner as Pubkey)));
  }

  /** Bytes that count against the claim's quota, reserved ones included. */
  usedBytes(claim: Claim): number {
    return this.#context.reads.usedBytes(scopeOf(ownerOf(claim)));
  }

  /** Bytes of all blobs on the disk and all reservations. */
  totalUsedBytes(): number {
    return this.#context.reads.usedBytes(TOTAL);
  }

  /** Drops the caller's hold on a blob; the server owner's word drops all. @throws NotFound, Unauthorized, Forbidden */
  remove(claim: Claim, sha256: Sha256): Promise<void> {
    return this.#removal.remove(claim, sha256);
  }

  /** A shared reader; `close` gives it back. Undefined when the bytes are gone or wrong. @throws StorageFailed */
  openBlob(sha256: Sha256): Promise<BlobReader | undefined> {
    return this.#verifier.open(sha256);
  }

  torrentBySha(sha256: Sha256): TorrentRow | undefined {
    return this.#context.reads.torrentBySha(sha256);
  }

  torrentByKey(key: SwarmKey): TorrentRow | undefined {
    return this.#context.reads.torrentByKey(key);
  }

  /** Whether `torrentByKey` finds something, for less. */
  hasTorrent(key: SwarmKey): boolean {
    return this.#context.reads.hasTorrent(key);
  }

  /** The swarm of a served torrent by H('req2'‖info hash) in hex, as encrypted handshakes ask for it (MSE). */
  keyByObfuscated(obfuscatedKey: string): SwarmKey | undefined {
    return this.#context.reads.keyByObfuscated(obfuscatedKey);
  }

  /** Stored torrents; known without counting them. */
  torrentCount(): number {
    return this.#context.reads.torrentCount();
  }

  /** True for the swarms of stored blobs and of uploads under way: what our tracker admits. */
  admits(key: SwarmKey): boolean {
    return this.#context.reads.knowsSwarm(key) || this.#context.reads.unfinishedByInfoHash(key) !== undefined;
  }

  /** Reads a blob from end to end; a damaged one is no longer served. @throws Cancelled, StorageFailed */
  verify(sha256: Sha256, signal: AbortSignal): Promise<Verification> {
    return this.#verifier.verify(sha256, signal);
  }

  /** Repairs what a crash left; run once at the start, before any other use case. @throws StorageFailed, NoSpace */
  async recover(): Promise<RecoveryReport> {
    await this.#admission.lookAtDisk();
    this.#context.inBackground('name old torrents', (signal) => nameOldTorrents(this.#context, signal));
    return new Recovery(this.#context, this.#finisher).run();
  }

  /**
   * Removes uploads nobody continued in time, and completes those whose finish failed halfway (a full disk); resolves
   * with how many were removed. @throws StorageFailed, NoSpace
   */
  async expire(nowMs: number): Promise<number> {
    for (const row of this.#context.reads.finishing(MAX_EXPIRED)) {
      if (!this.#uploads.isBusy(row.id as UploadId)) await this.#finisher.finish(row.id as UploadId);
    }
    let removed = 0;
    for (const row of this.#context.reads.expired(nowMs, MAX_EXPIRED)) {
      if (this.#uploads.isBusy(row.id as UploadId)) continue;
      await this.#uploads.drop(row);
      removed++;
    }
    return removed;
  }

  /** Unlinks removed blobs whose grace time is over; resolves with how many. @throws StorageFailed */
  collectGarbage(): Promise<number> {
    return this.#removal.collectGarbage(this.#tasks.signal);
  }

  #servedBlob(sha256: Sha256): BlobRow | undefined {
    const known = this.#served.get(sha256);
    if (known !== undefined) return known;
    const blob = this.#context.reads.blob(sha256);
    if (blob === undefined || blob.refs === 0 || blob.damaged_at_ms !== null) return undefined;
    this.#served.set(sha256, blob);
    return blob;
  }

  /** Ends uploads under way, which keep what arrived; stops hashing; closes idle readers. The ports stay open. */
  async stop(): Promise<void> {
    await this.#tasks.stop();
    await this.#uploads.settled();
    await this.#finisher.settled();
    await this.#context.readers.close();
    this.events.removeAll();
  }
}
