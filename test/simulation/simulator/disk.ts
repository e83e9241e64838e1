/**
 * A simulated disk: slow, bounded, breakable. The bytes outlive a crash, a write under way may be torn by it.
 * Invariant: it never takes wrong bytes silently; whoever writes or serves them is reported.
 */
import type { Clock } from '../../../src/base/clock.ts';
import { NoSpace, StorageFailed } from '../../../src/base/errors.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { Bitfield } from '../../../src/codec/bitfield.ts';
import type { PieceStorage } from '../../../src/torrent/ports.ts';
import type { TestTorrent } from '../../support/swarm.ts';
import { areEqual } from './compare.ts';
import type { Dice } from './dice.ts';
import type { Referee } from './referee.ts';

export interface DiskPlan {
  /** Longest time one access takes. */
  readonly slowestMs: number;
  /** Writes beyond this many bytes fail; undefined = enough room. */
  readonly roomBytes?: number;
  /** From this moment on every access fails. */
  readonly breaksAtMs?: number;
}

/** What lies on the platter: survives its users. */
export class Disk {
  readonly plan: DiskPlan;
  readonly torrent: TestTorrent;
  readonly bytes: Uint8Array;
  /** Pieces recorded as held, as a resume file does after each piece. */
  readonly recorded: Bitfield;
  writtenBytes = 0;
  /** What is recorded may be wrong: whoever opens it next has to look. */
  isSuspect = false;

  constructor(plan: DiskPlan, torrent: TestTorrent, pieces: readonly number[]) {
    this.plan = plan;
    this.torrent = torrent;
    this.bytes = new Uint8Array(torrent.bytes.length);
    this.recorded = new Bitfield(torrent.info.pieceCount);
    for (const piece of pieces) {
      const [start, end] = this.#span(piece);
      this.bytes.set(torrent.bytes.subarray(start, end), start);
      this.recorded.set(piece);
    }
  }

  /** Whether the piece lies here, byte for byte. */
  holds(piece: number): boolean {
    const [start, end] = this.#span(piece);
    return areEqual(this.bytes.subarray(start, end), this.torrent.bytes.subarray(start, end));
  }

  /** Nothing counts as recorded any more, whatever lies here. */
  forget(): void {
    for (let piece = 0; piece < this.recorded.length; piece++) this.recorded.clear(piece);
  }

  /** The piece's bytes are gone; padding lies on no disk, and stays zeros. */
  wipe(piece: number): void {
    const [start, end] = this.#span(piece);
    for (const { isPad, offsetBytes, lengthBytes } of this.torrent.info.files)
      if (!isPad) this.bytes.fill(0xee, Math.max(start, offsetBytes), Math.min(end, offsetBytes + lengthBytes));
  }

  #span(piece: number): [number, number] {
    const { pieceLengthBytes } = this.torrent.info;
    return [piece * pieceLengthBytes, Math.min((piece + 1) * pieceLengthBytes, this.torrent.bytes.length)];
  }
}

/** One use of a disk, from opening to closing (or to the crash that stops its clock). */
export class DiskSession implements PieceStorage {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #referee: Referee;
  isClosed = false;
  /** Accesses that have not ended. */
  running = 0;

  constructor(disk: Disk, parts: { readonly clock: Clock; readonly dice: Dice; readonly referee: Referee }) {
    this.#disk = disk;
    this.#clock = parts.clock;
    this.#dice = parts.dice;
    this.#referee = parts.referee;
  }

  read(views: readonly Uint8Array[], position: number): Promise<void> {
    return this.#access(() => {
      let at = position;
      for (const view of views) {
        if (at + view.length > this.#disk.bytes.length) throw new StorageFailed('read past the end');
        view.set(this.#disk.bytes.subarray(at, at + view.length));
        at += view.length;
      }
    });
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    const truth = this.#disk.torrent.bytes.subarray(position, position + bytes.length);
    const referee = this.#referee;
    referee.check(areEqual(bytes, truth), 'only verified bytes are stored', () => `${bytes.length} at ${position}`);
    // A crash may come while it is under way: some of it is on the platter then.
    this.#disk.bytes.set(bytes.subarray(0, this.#dice.int(0, bytes.length)), position);
    return this.#access(() => {
      const room = this.#disk.plan.roomBytes ?? Number.POSITIVE_INFINITY;
      if (this.#disk.writtenBytes + bytes.length > room) throw new NoSpace('the disk is full');
      referee.check(areEqual(bytes, truth), 'a buffer is left alone while it is in use', () => `write ${position}`);
      this.#disk.bytes.set(bytes, position);
      this.#disk.writtenBytes += bytes.length;
    });
  }

  sync(): Promise<void> {
    return this.#access(() => undefined);
  }

  async close(): Promise<void> {
    this.#referee.check(this.running === 0, 'after stop nothing is left', () => 'storage closed while in use');
    this.isClosed = true;
  }

  async #access(act: () => void): Promise<void> {
    this.#referee.check(!this.isClosed, 'storage is not used after it was closed', () => 'an access');
    this.running++;
    try {
      await sleep(this.#clock, Math.round(this.#dice.next() * this.#disk.plan.slowestMs));
      if (this.#clock.monotonicMs() >= (this.#disk.plan.breaksAtMs ?? Number.POSITIVE_INFINITY))
        throw new StorageFailed('the disk is broken');
      act();
    } finally {
      this.running--;
    }
  }
}
