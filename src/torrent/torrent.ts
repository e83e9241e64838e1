/**
 * A torrent as users of the engine have it: what it is, how far it is, and what to do with it. Invariant: what the engine
 * itself needs of a torrent, and what would disturb it in other hands, stays behind it in `transfer`.
 */
import type { AddressSource } from '../base/address-policy.ts';
import type { Emitter } from '../base/emitter.ts';
import { Conflict } from '../base/errors.ts';
import { checkAddresses, checkSignal } from '../base/options.ts';
import type { SwarmKey } from '../base/ids.ts';
import { Bitfield } from '../codec/bitfield.ts';
import type { FileRange } from '../codec/magnet.ts';
import type { InfoHashes } from '../codec/metainfo.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import type { Content } from './content/content.ts';
import {
  describeFiles,
  describePeer,
  describeTorrent,
  type FileStats,
  type PeerStats,
  type TorrentStats,
} from './content/stats.ts';
import type { TorrentEvents } from './content/torrent-types.ts';
import type { RecheckOptions } from './content/upkeep.ts';
import type { FileChoice, TorrentMode } from './download/wishes.ts';
import type { RateLimits } from './limits/traffic.ts';
import { checkAddressSource, checkTorrentRates } from './options-check.ts';
import type { PeerAddress, PeerSocket, RangeSource } from './ports.ts';
import type { ReadOptions } from './reading/reader.ts';
import { openFile, type TorrentFile } from './torrent-file.ts';
import type { Transfer } from './transfer.ts';
import { whenDone } from './when-done.ts';

/** A running torrent; made by `Engine.add` and `Engine.addByHash`, and of no use after `stop`. */
export class Torrent {
  /** `on` returns what takes the listener off again. */
  readonly events: Emitter<TorrentEvents>;
  readonly #transfer: Transfer;

  /** Made by the engine alone. */
  constructor(transfer: Transfer) {
    this.#transfer = transfer;
    this.events = transfer.events;
  }

  /** Both for a hybrid, once that is known. */
  get hashes(): InfoHashes {
    return this.#transfer.identity.hashes;
  }

  /** Under which it is found on the wire: v1, then v2. */
  get keys(): SwarmKey[] {
    return this.#transfer.identity.keys;
  }

  /** The metadata, once known. */
  get info(): TorrentInfo | undefined {
    return this.#transfer.content?.info;
  }

  /** Pieces in storage; empty before the metadata is known. Live: read only. */
  get have(): Bitfield {
    return this.#transfer.content?.store.have ?? new Bitfield(0);
  }

  /** Every piece is in storage. */
  get isComplete(): boolean {
    return this.#transfer.content?.isComplete ?? false;
  }

  /** Everything selected is in storage, be it all or some files. */
  get isDone(): boolean {
    return this.#transfer.content?.isDone ?? false;
  }

  /** Between `pause` and `resume`. */
  get isPaused(): boolean {
    return this.#transfer.isPaused;
  }

  /** What is fetched unread; see `setMode`. */
  get mode(): TorrentMode {
    return this.#transfer.instructions.mode;
  }

  /** Why nothing more is fetched, as the event `error` told; undefined while all is well. */
  get failure(): Error | undefined {
    return this.#transfer.failure;
  }

  /** `stop` was called, or the engine is stopped. */
  get isStopped(): boolean {
    return this.#transfer.isStopped;
  }

  /** Peers connected now, handshakes done. */
  get peerCount(): number {
    return this.#transfer.crowd.peers.size;
  }

  /** Streams of `read` that are open now. */
  get readerCount(): number {
    return this.#transfer.content?.readerCount ?? 0;
  }

  /** Progress, bytes and rates at this moment; cheap. */
  stats(): TorrentStats {
    return describeTorrent(
      this.#transfer.content,
      this.#transfer.traffic,
      this.#transfer.crowd.peers,
      this.#transfer.nowMs(),
    );
  }

  /** Its files with priority and progress; empty before the metadata is known. */
  files(): FileStats[] {
    return this.#transfer.content === undefined ? [] : describeFiles(this.#transfer.content);
  }

  /** The peers connected now. */
  peers(): PeerStats[] {
    const nowMs = this.#transfer.nowMs();
    return [...this.#transfer.crowd.peers].map((peer) => describePeer(peer, nowMs));
  }

  /** Resolves with the metadata. @throws Cancelled when aborted or stopped first, or why the metadata cannot be used. */
  async ready(signal?: AbortSignal): Promise<TorrentInfo> {
    checkSignal(signal);
    return this.#transfer.metadata.ready(signal);
  }

  /**
   * Resolves when all that is selected is in storage, and synced where it was fetched just now; on demand, when all of it has
   * been read. @throws Cancelled when aborted or stopped first, or why nothing more is fetched, such as NoSpace
   * or, of a selection that names no file of the torrent, InvalidInput. Empty files are there from the start.
   */
  async done(signal?: AbortSignal): Promise<void> {
    await this.ready(signal);
    await whenDone(this, signal);
  }

  /**
   * Streams verified bytes of [start, endExclusive) as they come, fetching them first of all.
   * @throws Conflict before the metadata is known, InvalidInput for a range outside the torrent or an option that is none,
   *   Cancelled when stopped. The stream fails with NotFound where bytes are missing, or get lost, that are not fetched
   *   (mode `seed-only`), with StorageFailed where they cannot be read, and with why nothing more is fetched.
   */
  read(options: ReadOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#opened().read(options);
  }

  /**
   * One of its files, by index or by path (parts joined by `/`), to read from.
   * @throws Conflict before the metadata is known, NotFound when there is no such file.
   */
  file(which: number | string): TorrentFile {
    return openFile(this.#opened().info, which, (options) => this.read(options));
  }

  /**
   * Addresses to dial, and who named them: `judged` for those of your own. Those the filter refuses are dropped.
   * @throws InvalidInput for what is no `{ host, port }`, or a host that is no IP literal: names are not looked up
   */
  addPeers(addresses: readonly PeerAddress[], source: AddressSource = 'told'): void {
    checkAddresses('addresses', addresses);
    checkAddressSource(source);
    if (addresses.length > 0) this.#transfer.crowd.addAddresses(addresses, source);
  }

  /** Dials a peer that said just now where it listens, whatever came of earlier dials. */
  callBack(address: PeerAddress): void {
    this.#transfer.crowd.callBack(address);
  }

  /**
   * Takes over an open socket to a peer of this torrent, such as a WebRTC channel; our handshake leaves at once.
   * `initiated` says whether we opened it (made the offer), so that both ends keep the same one of two connections;
   * `foundBy`: of a hybrid's keys the one under which the peer was found, which may know no other.
   */
  attach(
    socket: PeerSocket,
    { initiated = true, foundBy }: { readonly initiated?: boolean; readonly foundBy?: SwarmKey } = {},
  ): void {
    this.#transfer.greet(socket, initiated, foundBy);
  }

  /** Also fetches from this HTTP source (BEP 19) from now on, as `webSeedUse` says. */
  addWebSeed(source: RangeSource): void {
    if (!this.isStopped) this.#transfer.instructions.addWebSeed(source);
  }

  /**
   * Limits of this torrent in bytes per second, below those of the engine; Infinity lifts one, one left out stays, 0 lets
   * nothing pass. @throws InvalidInput
   */
  setLimits(limits: RateLimits): void {
    checkTorrentRates(limits);
    this.#transfer.traffic.setLimits(limits);
  }

  /**
   * Fetches these files and no others; none at all: nothing. Indices beyond the last file mean nothing.
   * @throws InvalidInput for ranges that are none, or name no file of the torrent; before the metadata is known `ready`
   *   and `done` fail with the latter
   */
  select(ranges: readonly FileRange[]): void {
    this.#transfer.instructions.select(ranges);
  }

  /** Changes how much some files are wanted; readers get what they read either way. @throws InvalidInput */
  prioritize(choices: readonly FileChoice[]): void {
    this.#transfer.instructions.prioritize(choices);
  }

  /**
   * Reads everything back from storage and hashes it. What is wrong is fetched anew where it is wanted, and peers are
   * told; uploads and readers go on. Aborted, what was not looked at counts as before.
   * @throws Conflict before the metadata is known or while another recheck runs, Cancelled, HashMismatch
   */
  async recheck(options: RecheckOptions = {}): Promise<void> {
    await this.#opened().upkeep.recheck(options);
  }

  /**
   * Lets go of pieces [first, last], but for those that a reader or, in mode `all`, the selection wants, paused or not; of
   * a torrent that fetches nothing, all up to its readers' ends. Peers are told. Resolves with the pieces let go when
   * nothing reads them any more, so that their bytes may be freed.
   */
  async dropPieces(first: number, last: number): Promise<readonly number[]> {
    return (await this.#transfer.content?.dropPieces(first, last)) ?? [];
  }

  /** What is fetched unread from now on. @throws InvalidInput for what is no mode */
  setMode(mode: TorrentMode): void {
    this.#transfer.instructions.setMode(mode);
  }

  /** Parts from all peers and fetches nothing until `resume`; readers of what is missing wait. */
  pause(): void {
    this.#transfer.setPaused(true);
  }

  /** Ends a pause: peers are sought again, readers go on. */
  resume(): void {
    this.#transfer.setPaused(false);
  }

  /**
   * Closes everything and resolves when nothing of it runs any more, its storage closed. Each further call gives the same
   * promise. @throws why storage could not be closed in good order, such as StorageFailed; all else has ended even then
   */
  stop(): Promise<void> {
    return this.#transfer.stop();
  }

  #opened(): Content {
    const { content } = this.#transfer;
    if (content === undefined) throw new Conflict('the metadata is not known yet');
    return content;
  }
}
