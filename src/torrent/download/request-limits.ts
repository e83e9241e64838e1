/** Download limits as the requests of one torrent meet them: how many blocks of a source they allow, and what they cost. */
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Geometry } from '../geometry.ts';
import type { Inflow } from '../limits/inflow.ts';
import { FAIR_SHARE_BYTES, type Traffic } from '../limits/traffic.ts';

/** Who is asked. */
interface Limited {
  readonly inflow: Inflow;
}

export interface RequestLimitsParts {
  readonly traffic: Pick<Traffic, 'asked' | 'downloadAllowance'>;
  readonly geometry: Geometry;
  nowMs(): number;
  /** Nothing may be asked for at all. */
  isBarred(): boolean;
}

export class RequestLimits {
  readonly #parts: RequestLimitsParts;

  constructor(parts: RequestLimitsParts) {
    this.#parts = parts;
  }

  /** Of `room` blocks those that are allowed now, at most a fair share; out of a round none while other torrents wait. */
  blocksInTurn({ inflow }: Limited, room: number): number {
    if (room <= 0 || this.#parts.isBarred()) return 0;
    if (!inflow.isLimited) return room;
    const allowedBytes = Math.min(FAIR_SHARE_BYTES, this.#parts.traffic.downloadAllowance(inflow));
    return Math.min(room, Math.floor(allowedBytes / BLOCK_BYTES));
  }

  /** Of `room` blocks those that are allowed now, whoever waits. */
  blocksNow({ inflow }: Limited, room: number): number {
    if (room <= 0 || this.#parts.isBarred()) return 0;
    return Math.min(room, Math.floor(inflow.allowance(this.#parts.nowMs()) / BLOCK_BYTES));
  }

  /** Bytes in a row that may be asked for now, whole blocks; out of a round 0 while other torrents wait. */
  runBytesInTurn({ inflow }: Limited): number {
    if (this.#parts.isBarred()) return 0;
    return Math.floor(this.#parts.traffic.downloadAllowance(inflow) / BLOCK_BYTES) * BLOCK_BYTES;
  }

  asked({ inflow }: Limited, blockKeys: readonly number[]): void {
    this.#parts.traffic.asked(inflow, this.#sizeOf(blockKeys));
  }

  askedRun({ inflow }: Limited, sizeBytes: number): void {
    this.#parts.traffic.asked(inflow, sizeBytes);
  }

  /** These will not come, or only by accident. */
  takenBack({ inflow }: Limited, blockKeys: readonly number[]): void {
    inflow.takenBack(this.#sizeOf(blockKeys));
  }

  #sizeOf(blockKeys: readonly number[]): number {
    const { geometry } = this.#parts;
    return blockKeys.reduce((sum, blockKey) => sum + geometry.blockRef(blockKey).lengthBytes, 0);
  }
}
