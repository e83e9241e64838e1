/** The bytes of one torrent: its limits beside the engine's and an address's, its speeds, and where its blocks came from. */
import { KIB } from '../../base/units.ts';
import type { AddressShare } from './address-traffic.ts';
import { RateMeter, TokenBucket } from './rate.ts';
import type { Shared } from './shared.ts';

/** Under a limit no peer takes more than this before the others had their turn. */
const FAIR_SHARE_BYTES = 64 * KIB;

/** Limits in bytes per second; Infinity lifts one, 0 lets nothing pass. */
export interface RateLimits {
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
}

export class Traffic {
  /** First copies of blocks. */
  bytesFromPeers = 0;
  bytesFromHttp = 0;
  /** Pieces with a wrong hash. */
  wastedBytes = 0;
  /** Monotonic time of the last block from a peer. */
  peerBlockAtMs: number;
  readonly downloaded: RateMeter;
  readonly uploaded: RateMeter;
  readonly #shared: Shared;
  readonly #uploadBucket: TokenBucket;
  readonly #downloadBucket: TokenBucket;

  constructor(shared: Shared, limits: RateLimits) {
    const nowMs = shared.ports.clock.monotonicMs();
    this.#shared = shared;
    this.#uploadBucket = new TokenBucket(limits.uploadBytesPerSecond ?? Number.POSITIVE_INFINITY, nowMs);
    this.#downloadBucket = new TokenBucket(limits.downloadBytesPerSecond ?? Number.POSITIVE_INFINITY, nowMs);
    this.downloaded = new RateMeter(nowMs);
    this.uploaded = new RateMeter(nowMs);
    this.peerBlockAtMs = nowMs;
  }

  /** The tighter of the torrent's and the engine's upload limit. */
  get uploadBytesPerSecond(): number {
    return Math.min(this.#uploadBucket.bytesPerSecond, this.#shared.uploadBucket.bytesPerSecond);
  }

  setLimits(limits: RateLimits): void {
    const nowMs = this.#nowMs();
    if (limits.uploadBytesPerSecond !== undefined) this.#uploadBucket.limit(limits.uploadBytesPerSecond, nowMs);
    if (limits.downloadBytesPerSecond !== undefined) this.#downloadBucket.limit(limits.downloadBytesPerSecond, nowMs);
  }

  /** Bytes a peer with this address may be sent now. */
  uploadAllowance({ upload }: AddressShare): number {
    const nowMs = this.#nowMs();
    const allowed = Math.min(
      this.#uploadBucket.available(nowMs),
      this.#shared.uploadBucket.available(nowMs),
      upload.available(nowMs),
    );
    return allowed === Number.POSITIVE_INFINITY ? allowed : Math.min(allowed, FAIR_SHARE_BYTES);
  }

  chargeUpload(sizeBytes: number, { upload }: AddressShare): void {
    upload.take(sizeBytes);
    this.#uploadBucket.take(sizeBytes);
    this.#shared.uploadBucket.take(sizeBytes);
    this.uploaded.add(sizeBytes, this.#nowMs());
  }

  /** Bytes that may be asked for now, of a peer with this address or of a web seed. */
  downloadAllowance(address?: AddressShare): number {
    const nowMs = this.#nowMs();
    return Math.min(
      this.#downloadBucket.available(nowMs),
      this.#shared.downloadBucket.available(nowMs),
      address?.download.available(nowMs) ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Charges bytes asked for; negative gives back what will not come. */
  chargeDownload(sizeBytes: number, address?: AddressShare): void {
    address?.download.take(sizeBytes);
    this.#downloadBucket.take(sizeBytes);
    this.#shared.downloadBucket.take(sizeBytes);
  }

  /** A block came from a peer; `isNew` when it was the first copy. */
  peerBlock(sizeBytes: number, isNew: boolean): void {
    const nowMs = this.#nowMs();
    if (isNew) this.bytesFromPeers += sizeBytes;
    this.peerBlockAtMs = nowMs;
    this.downloaded.add(sizeBytes, nowMs);
  }

  httpBlock(sizeBytes: number): void {
    this.bytesFromHttp += sizeBytes;
    this.downloaded.add(sizeBytes, this.#nowMs());
  }

  #nowMs(): number {
    return this.#shared.ports.clock.monotonicMs();
  }
}
