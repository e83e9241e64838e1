/**
 * How a torrent that is known by its hashes alone comes by its info dictionary, and how it passes it on (BEP 9).
 * Invariant: only a dictionary with the right hash is parsed, and storage is opened for it once.
 */
import { toHex } from '../../base/bytes.ts';
import { Cancelled, Conflict } from '../../base/errors.ts';
import { parseInfoHashV1 } from '../../base/ids.ts';
import type { TaskGroup } from '../../base/tasks.ts';
import type { MetadataMessage } from '../../codec/extension.ts';
import type { InfoHashes } from '../../codec/metainfo.ts';
import { parseTorrentInfo, type TorrentInfo } from '../../codec/torrent-info.ts';
import type { EnginePorts } from '../ports.ts';
import { MetadataFetch, MetadataServer } from './metadata-exchange.ts';
import type { Peer } from './peer.ts';
import { Waiters } from './waiters.ts';

export interface MetadataParts {
  /** What is known now. */
  hashes(): InfoHashes;
  readonly ports: Pick<EnginePorts, 'clock' | 'hasher'>;
  /** Owns what goes on beside the messages. */
  readonly tasks: TaskGroup;
  /** The metadata, once there is content. */
  info(): TorrentInfo | undefined;
  /** Nothing is wanted any more. */
  isStopped(): boolean;
  /** The metadata is that of a hybrid that was known by its v2 hash: both hashes. */
  learned(hashes: InfoHashes): void;
  /** The verified metadata has come; called once. */
  open(info: TorrentInfo): Promise<void>;
  /** The peer sent a dictionary of another hash. */
  convict(peer: Peer): void;
  /** The dictionary is ours, but cannot be used. */
  failed(error: unknown): void;
}

export class Metadata {
  readonly #parts: MetadataParts;
  readonly #server = new MetadataServer();
  readonly #fetch: MetadataFetch;
  readonly #waiters = new Waiters();
  #isOpening = false;
  #error: Error | undefined;

  constructor(parts: MetadataParts) {
    this.#parts = parts;
    this.#fetch = new MetadataFetch({
      nowMs: () => parts.ports.clock.monotonicMs(),
      isOver: () => this.#isSettled,
      check: (bytes, peer) => this.#check(bytes, peer),
    });
  }

  /** Resolves with the metadata. @throws Cancelled when aborted or stopped first, or why the metadata cannot be used. */
  async ready(signal?: AbortSignal): Promise<TorrentInfo> {
    for (let info = this.#parts.info(); ; info = this.#parts.info()) {
      if (info !== undefined) return info;
      if (this.#error !== undefined) throw this.#error;
      if (this.#parts.isStopped() || signal?.aborted) throw new Cancelled('waiting for the metadata was cancelled');
      await this.#waiters.wait(signal);
    }
  }

  /** Call when the metadata is here, or will not come (with the reason, unless stopped): who waits for it hears of it. */
  settled(error?: Error): void {
    if (error !== undefined) this.#error = error;
    this.#waiters.wakeAll();
  }

  /** The peer says how large the dictionary is. */
  offered(peer: Peer, sizeBytes: number): void {
    if (this.#parts.info() === undefined) this.#fetch.offered(peer, sizeBytes);
  }

  /** A ut_metadata message: a request is answered, a part of the dictionary is taken. */
  message(peer: Peer, message: MetadataMessage): void {
    const info = this.#parts.info();
    if (message.type === 'request') this.#server.answer(peer, message.piece, info?.rawInfo);
    else if (info === undefined)
      this.#parts.tasks.run('metadata.message', () =>
        this.#fetch.message(peer, message).catch((error: unknown) => this.#parts.failed(error)),
      );
  }

  left(peer: Peer): void {
    this.#fetch.left(peer);
  }

  /** Once a second. */
  tick(nowMs: number): void {
    this.#fetch.tick(nowMs);
  }

  /** Whether the dictionary a peer sent is ours; the first right one opens the torrent. */
  async #check(rawInfo: Uint8Array<ArrayBuffer>, peer: Peer): Promise<boolean> {
    if (this.#isSettled) return true;
    if (!(await this.#isOurs(rawInfo))) {
      this.#parts.convict(peer);
      return false;
    }
    if (this.#isSettled) return true;
    this.#isOpening = true;
    const info = parseTorrentInfo(rawInfo);
    await this.#learnHashes(info);
    await this.#parts.open(info);
    return true;
  }

  /** Metadata is here, on its way into storage, or no longer wanted. */
  get #isSettled(): boolean {
    return this.#isOpening || this.#parts.info() !== undefined || this.#parts.isStopped();
  }

  /** By the stronger hash where both are known. @throws Conflict when the two belong to different torrents. */
  async #isOurs(rawInfo: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { hasher } = this.#parts.ports;
    const { v1, v2 } = this.#parts.hashes();
    const matchesV1 = v1 !== undefined && toHex(await hasher.sha1(rawInfo)) === v1;
    const matchesV2 = v2 !== undefined && toHex(await hasher.sha256(rawInfo)) === v2;
    if (v1 !== undefined && v2 !== undefined && matchesV1 !== matchesV2)
      throw new Conflict('the v1 and v2 info hashes belong to different torrents');
    return matchesV1 || matchesV2;
  }

  /**
   * The v1 hash of a hybrid that was added by its v2 hash: the rest of its swarm. Added by its v1 hash alone, a hybrid stays
   * v1, because a swarm of v1 clients has no v2 hashes to give.
   */
  async #learnHashes({ version, rawInfo }: TorrentInfo): Promise<void> {
    const known = this.#parts.hashes();
    if (version !== 'hybrid' || known.v1 !== undefined) return;
    const v1 = parseInfoHashV1(toHex(await this.#parts.ports.hasher.sha1(rawInfo)));
    if (!this.#parts.isStopped()) this.#parts.learned({ ...known, v1 });
  }
}
