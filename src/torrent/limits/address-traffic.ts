/**
 * Byte limits per remote address, over all torrents and connections: peers of one IPv4 address or one IPv6 /64 share a
 * pair of buckets. Loopback stands for a proxy with a crowd behind it and is not limited; where an address is hidden, each
 * peer has buckets of its own. Invariant: a pair is kept while a peer holds it, and beyond that only under a limit and for
 * a bounded number of addresses, so that who comes back at once does not come back with a fresh allowance.
 */
import { householdOf } from '../../base/address.ts';
import { isShared } from './bans.ts';
import { DownloadLimit } from './download-limit.ts';
import { UploadLimit } from './upload-limit.ts';

/** Limits in bytes per second for the peers of each address together; Infinity lifts one. */
export interface AddressRateLimits {
  readonly uploadBytesPerSecondPerAddress?: number;
  readonly downloadBytesPerSecondPerAddress?: number;
}

/** What the peers of one address share. */
export interface AddressShare {
  readonly key: string | symbol;
  readonly upload: UploadLimit;
  readonly download: DownloadLimit;
}

const UNLIMITED = Number.POSITIVE_INFINITY;
const LOOPBACK = Symbol('loopback');
/** Addresses remembered after their last peer left; the one left longest ago is forgotten first. */
const MAX_REMEMBERED = 4_096;

export class AddressTraffic {
  readonly #shares = new Map<string | symbol, AddressShare>();
  readonly #peers = new Map<string | symbol, number>();
  /** Those without a peer, in the order in which they were left. */
  readonly #left = new Set<string | symbol>();
  #uploadBytesPerSecond: number;
  #downloadBytesPerSecond: number;

  constructor(limits: Required<AddressRateLimits>) {
    this.#uploadBytesPerSecond = limits.uploadBytesPerSecondPerAddress;
    this.#downloadBytesPerSecond = limits.downloadBytesPerSecondPerAddress;
  }

  /** Addresses of which something is kept. */
  get size(): number {
    return this.#shares.size;
  }

  get isLimited(): boolean {
    return Math.min(this.#uploadBytesPerSecond, this.#downloadBytesPerSecond) < UNLIMITED;
  }

  /** Changes the limits from now on, for those who are here, too. */
  setLimits(limits: AddressRateLimits, nowMs: number): void {
    this.#uploadBytesPerSecond = limits.uploadBytesPerSecondPerAddress ?? this.#uploadBytesPerSecond;
    this.#downloadBytesPerSecond = limits.downloadBytesPerSecondPerAddress ?? this.#downloadBytesPerSecond;
    for (const { upload, download } of this.#shares.values()) {
      upload.limit(this.#uploadBytesPerSecond, nowMs);
      download.limit(this.#downloadBytesPerSecond, nowMs);
    }
    this.#forgetLeft();
  }

  /** For a new peer; each `join` needs its `leave`. @throws InvalidInput unless the host is an IP literal */
  join(host: string | undefined, nowMs: number): AddressShare {
    if (host !== undefined && isShared(host)) return shareOf(LOOPBACK, UNLIMITED, UNLIMITED, nowMs);
    const key = host === undefined ? Symbol('hidden') : householdOf(host);
    const share =
      this.#shares.get(key) ?? shareOf(key, this.#uploadBytesPerSecond, this.#downloadBytesPerSecond, nowMs);
    this.#shares.set(key, share);
    this.#peers.set(key, (this.#peers.get(key) ?? 0) + 1);
    this.#left.delete(key);
    return share;
  }

  /** The peer is gone. */
  leave({ key }: AddressShare): void {
    const peers = (this.#peers.get(key) ?? 0) - 1;
    if (peers > 0) this.#peers.set(key, peers);
    else if (this.#peers.delete(key)) {
      if (typeof key === 'symbol') this.#shares.delete(key);
      else this.#left.add(key);
      this.#forgetLeft();
    }
  }

  /** Without a limit nothing is worth remembering. */
  #forgetLeft(): void {
    for (const key of this.#left) {
      if (this.isLimited && this.#left.size <= MAX_REMEMBERED) return;
      this.#left.delete(key);
      this.#shares.delete(key);
    }
  }
}

function shareOf(
  key: string | symbol,
  uploadBytesPerSecond: number,
  downloadBytesPerSecond: number,
  nowMs: number,
): AddressShare {
  const upload = new UploadLimit(uploadBytesPerSecond, nowMs);
  return { key, upload, download: new DownloadLimit(downloadBytesPerSecond, nowMs) };
}
