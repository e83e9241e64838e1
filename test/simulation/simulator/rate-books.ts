/**
 * Every rate limit of one run of an engine against the bytes of blocks that pass on the wire: of the engine, of each torrent
 * and of each address, both ways. Invariant: a byte is counted once in each of the three.
 */
import type { AddressRateLimits, RateLimits } from '../../../src/torrent/index.ts';
import { RateAudit, type RateSlack } from './rate-audit.ts';
import type { Invariant, Referee } from './referee.ts';

/** One read of a socket of the simulated network, and one block. */
const READ_BYTES = 16 * 1024;
const UNLIMITED = Number.POSITIVE_INFINITY;

export interface RateBooksParts {
  readonly name: string;
  readonly referee: Referee;
  readonly nowMs: () => number;
  /** Its slowest disk: what was chosen to leave may wait so long. */
  readonly slowestReadMs: number;
  readonly webSeeds: number;
  /** Bytes that were asked for and may still come, of a torrent and an address, where one is given. */
  readonly underWayBytes: (torrent?: number, host?: string) => number;
}

/** Which way bytes pass. */
export type Way = 'upload' | 'download';

export class RateBooks {
  readonly #parts: RateBooksParts;
  readonly #engine: Readonly<Record<Way, RateAudit>>;
  readonly #torrents = new Map<number, Readonly<Record<Way, RateAudit>>>();
  readonly #addresses = new Map<string, Readonly<Record<Way, RateAudit>>>();
  #perAddress: Readonly<Record<Way, number>> = { upload: UNLIMITED, download: UNLIMITED };

  constructor(parts: RateBooksParts) {
    this.#parts = parts;
    this.#engine = this.#pair();
  }

  /** What the engine is told. */
  limitEngine(limits: RateLimits & AddressRateLimits): void {
    const { upload, download } = this.#perAddress;
    this.#limit(this.#engine, limits);
    this.#perAddress = {
      upload: limits.uploadBytesPerSecondPerAddress ?? upload,
      download: limits.downloadBytesPerSecondPerAddress ?? download,
    };
    for (const [host, pair] of this.#addresses) this.#limitAddress(pair, host, { upload, download });
  }

  /** What a torrent is told. */
  limitTorrent(torrent: number, limits: RateLimits): void {
    const pair = this.#torrents.get(torrent);
    if (pair !== undefined) this.#limit(pair, limits, torrent);
  }

  /** The torrent is added, with these limits. */
  begin(torrent: number, limits: RateLimits): void {
    this.#torrents.set(torrent, this.#pair());
    this.limitTorrent(torrent, limits);
  }

  /** Bytes of blocks pass, from or to a host; a web seed has none. */
  pass(way: Way, sizeBytes: number, torrent: number, host?: string): void {
    const nowMs = this.#parts.nowMs();
    const look = (audit: RateAudit | undefined, invariant: Invariant): void =>
      this.#parts.referee.check(
        audit?.pass(sizeBytes, nowMs) ?? true,
        invariant,
        () => `${this.#parts.name}: ${sizeBytes} bytes of torrent ${torrent}, ${host ?? 'by HTTP'}`,
      );
    look(this.#engine[way], `the engine's ${way} limit holds`);
    look(this.#torrents.get(torrent)?.[way], `a torrent's ${way} limit holds`);
    if (host !== undefined) look(this.#address(host)[way], `an address's ${way} limit holds`);
  }

  #address(host: string): Readonly<Record<Way, RateAudit>> {
    const known = this.#addresses.get(host);
    if (known !== undefined) return known;
    const pair = this.#pair();
    this.#limitAddress(pair, host, { upload: UNLIMITED, download: UNLIMITED });
    this.#addresses.set(host, pair);
    return pair;
  }

  #limitAddress(pair: Readonly<Record<Way, RateAudit>>, host: string, before: Readonly<Record<Way, number>>): void {
    const { upload, download } = this.#perAddress;
    const changed = {
      ...(upload !== before.upload && { uploadBytesPerSecond: upload }),
      ...(download !== before.download && { downloadBytesPerSecond: download }),
    };
    this.#limit(pair, changed, undefined, host);
  }

  #limit(pair: Readonly<Record<Way, RateAudit>>, limits: RateLimits, torrent?: number, host?: string): void {
    const nowMs = this.#parts.nowMs();
    const { uploadBytesPerSecond, downloadBytesPerSecond } = limits;
    if (uploadBytesPerSecond !== undefined) pair.upload.limit(uploadBytesPerSecond, nowMs);
    if (downloadBytesPerSecond !== undefined)
      pair.download.limit(downloadBytesPerSecond, nowMs, this.#parts.underWayBytes(torrent, host));
  }

  #pair(): Readonly<Record<Way, RateAudit>> {
    const { slowestReadMs, webSeeds } = this.#parts;
    const upload: RateSlack = { overrunBytes: READ_BYTES, delayMs: slowestReadMs + 1 };
    const download: RateSlack = { overrunBytes: READ_BYTES * (1 + webSeeds), delayMs: 0 };
    return { upload: new RateAudit(upload), download: new RateAudit(download) };
  }
}
