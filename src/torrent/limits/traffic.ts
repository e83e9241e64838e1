/** The bytes of one torrent: its limits beside the engine's and an address's, its speeds, and where its blocks came from. */
import { KIB } from '../../base/units.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { AddressShare } from './address-traffic.ts';
import { DownloadLimit } from './download-limit.ts';
import { Inflow, type Gate } from './inflow.ts';
import { RateMeter } from './rate.ts';
import type { Shared } from './shared.ts';
import { allowanceInTurn } from './turns.ts';
import { UploadLimit } from './upload-limit.ts';

/** Under a limit no peer takes, or is asked for, more than this before the others had their turn. */
export const FAIR_SHARE_BYTES = 64 * KIB;

/** Limits in bytes per second; Infinity lifts one, 0 lets nothing pass. */
export interface RateLimits {
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
}

/** Changes those that are given from now on. */
export function changeLimits(
  { upload, download }: { readonly upload: UploadLimit; readonly download: DownloadLimit },
  { uploadBytesPerSecond, downloadBytesPerSecond }: RateLimits,
  nowMs: number,
): void {
  if (uploadBytesPerSecond !== undefined) upload.limit(uploadBytesPerSecond, nowMs);
  if (downloadBytesPerSecond !== undefined) download.limit(downloadBytesPerSecond, nowMs);
}

/** Who is sent blocks. */
interface Uploading {
  readonly sourceId: number;
  readonly address: AddressShare;
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
  /** Names it among those that wait under a limit. */
  readonly id: number;
  /** When it last asked for something, and served something; monotonic ms. */
  askedAtMs = -1;
  servedAtMs = -1;
  readonly #upload: UploadLimit;
  readonly #download: DownloadLimit;
  #isRound = false;

  constructor(shared: Shared, limits: RateLimits) {
    const nowMs = shared.ports.clock.monotonicMs();
    this.#shared = shared;
    this.id = shared.nextSourceId();
    this.#upload = new UploadLimit(limits.uploadBytesPerSecond ?? Number.POSITIVE_INFINITY, nowMs);
    this.#download = new DownloadLimit(limits.downloadBytesPerSecond ?? Number.POSITIVE_INFINITY, nowMs);
    this.downloaded = new RateMeter(nowMs);
    this.uploaded = new RateMeter(nowMs);
    this.peerBlockAtMs = nowMs;
  }

  /** The tighter of the torrent's and the engine's upload limit. */
  get uploadBytesPerSecond(): number {
    return Math.min(this.#upload.bytesPerSecond, this.#shared.uploadLimit.bytesPerSecond);
  }

  /** Whether anything it does may have to wait for its turn. */
  get isLimited(): boolean {
    const { uploadLimit, downloadLimit, addressTraffic } = this.#shared;
    const rates = [this.#upload, this.#download, uploadLimit, downloadLimit].map((limit) => limit.bytesPerSecond);
    return addressTraffic.isLimited || Math.min(...rates) < Number.POSITIVE_INFINITY;
  }

  setLimits(limits: RateLimits): void {
    changeLimits({ upload: this.#upload, download: this.#download }, limits, this.#nowMs());
  }

  /** Bytes this peer may be sent now, at most a fair share; out of a round nothing while others wait. */
  uploadAllowance({ sourceId, address }: Uploading): number {
    const asking = { who: sourceId, isRound: this.#isRound, leastBytes: 1, nowMs: this.#nowMs() };
    const allowed = allowanceInTurn([address.upload, this.#upload, this.#shared.uploadLimit], asking);
    return allowed === Number.POSITIVE_INFINITY ? allowed : Math.min(allowed, FAIR_SHARE_BYTES);
  }

  /** Charges bytes chosen to leave; negative gives back what did not leave after all. */
  chargeUpload(sizeBytes: number, { upload }: AddressShare): void {
    upload.take(sizeBytes);
    this.#upload.take(sizeBytes);
    this.#shared.uploadLimit.take(sizeBytes);
    this.servedAtMs = this.#nowMs();
    this.uploaded.add(sizeBytes, this.servedAtMs);
  }

  /** For a new source, at an address or (a web seed) without; its owner closes it. */
  openInflow(gate: Gate, address?: AddressShare): Inflow {
    const limits = [this.#download, this.#shared.downloadLimit];
    const inflow = new Inflow(address === undefined ? limits : [address.download, ...limits], gate);
    inflow.open();
    return inflow;
  }

  /** Bytes to ask this source for now; out of a round nothing while other torrents wait. */
  downloadAllowance(inflow: Inflow): number {
    if (!inflow.isLimited) return Number.POSITIVE_INFINITY;
    const asking = { who: this.id, isRound: this.#isRound, leastBytes: BLOCK_BYTES, nowMs: this.#nowMs() };
    return inflow.allowanceInTurn(asking);
  }

  /** The source is asked for so many bytes now. */
  asked(inflow: Inflow, sizeBytes: number): void {
    this.askedAtMs = this.#nowMs();
    inflow.asked(sizeBytes, this.askedAtMs);
  }

  /** Runs this torrent's part of a round, in which everybody is asked in a fair order. */
  inRound(act: () => void): void {
    this.#isRound = true;
    act();
    this.#isRound = false;
  }

  /** Ten times a second while active: sources that were held go on, the one that waits longest first. */
  tick(nowMs: number): void {
    const held = [...this.#download.sources].filter(({ isHeld }) => isHeld);
    held.sort((a, b) => a.cameAtMs - b.cameAtMs);
    for (const inflow of held) inflow.check(nowMs);
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
