/**
 * What a user does to a running torrent: chooses files, pauses, rechecks, frees room, and what his disk does to him.
 * Invariant: each deed ends, and nothing but what its documentation says may come of it.
 */
import { Cancelled, Conflict } from '../../../src/base/errors.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { SECOND_MS } from '../../../src/base/units.ts';
import type { FileRange } from '../../../src/codec/magnet.ts';
import type { FileChoice, Torrent, TorrentMode } from '../../../src/torrent/index.ts';
import type { Disk } from './disk.ts';
import type { Orders } from './orders.ts';
import type { World } from './world.ts';

export type Deed = { readonly atMs: number } & (
  | { readonly what: 'prioritize'; readonly choices: readonly FileChoice[] }
  | { readonly what: 'select'; readonly ranges: readonly FileRange[] }
  | { readonly what: 'mode'; readonly mode: TorrentMode }
  | { readonly what: 'pause'; readonly forMs: number }
  | { readonly what: 'recheck'; readonly abortsAfterMs: number | undefined }
  /** Frees the pieces between two shares of the torrent. */
  | { readonly what: 'drop'; readonly from: number; readonly to: number }
  /** It is taken out of the engine, which runs on, and added again with what is on the disk. */
  | { readonly what: 'restart'; readonly forMs: number }
  /** Bytes on the disk change by themselves: paused, every nth piece rots, then all is rechecked. */
  | { readonly what: 'rot'; readonly nth: number }
);

/** What a deed is done to. */
export interface Doing {
  readonly world: World;
  /** The machine's name, for reports. */
  readonly name: string;
  readonly torrent: Torrent;
  readonly orders: Orders;
  readonly disk: Disk;
  /** What the engine has been given to store it in. */
  readonly storage: { readonly isClosed: boolean; readonly running: number };
  /** Adds it to the engine again. */
  readonly reopen: () => void;
  /** The machine is off, or about to be. */
  readonly isOver: () => boolean;
}

/** Requests and reads under way have ended so long after a pause. */
const QUIET_MS = 2 * SECOND_MS;

/** Deeds that are orders: they hold for the next run of the engine as well. */
export function order(deed: Deed, orders: Orders): void {
  if (deed.what === 'prioritize') orders.prioritize(deed.choices);
  else if (deed.what === 'select') orders.select(deed.ranges);
  else if (deed.what === 'mode') orders.setMode(deed.mode);
}

/** Does it to a running torrent. The engine is told first, so that what it asks in that very breath is audited too. */
export async function perform(deed: Deed, doing: Doing): Promise<void> {
  const { torrent, orders } = doing;
  doing.world.referee.note(`${doing.name} ${deed.what}`);
  switch (deed.what) {
    case 'prioritize':
      order(deed, orders);
      torrent.prioritize(deed.choices);
      return;
    case 'select':
      order(deed, orders);
      torrent.select(orders.known(deed.ranges));
      return;
    case 'mode':
      order(deed, orders);
      torrent.setMode(deed.mode);
      return;
    case 'pause':
      return paused(doing, () => sleep(doing.world.clock, deed.forMs));
    case 'recheck':
      return recheck(doing, deed.abortsAfterMs);
    case 'drop':
      return drop(doing, deed.from, deed.to);
    case 'restart':
      return restart(doing, deed.forMs);
    case 'rot':
      return paused(doing, () => rot(doing, deed.nth));
  }
}

async function paused({ torrent, orders, isOver }: Doing, act: () => Promise<void>): Promise<void> {
  orders.setPaused(true);
  torrent.pause();
  await act();
  if (isOver()) return;
  orders.setPaused(false);
  torrent.resume();
}

async function recheck({ world, torrent, isOver }: Doing, abortsAfterMs?: number): Promise<void> {
  const controller = new AbortController();
  if (abortsAfterMs !== undefined) world.clock.after(abortsAfterMs, () => controller.abort());
  try {
    await torrent.recheck({ signal: controller.signal });
  } catch (error) {
    // Before the metadata is known, or while it is being checked already.
    if (error instanceof Conflict) return;
    if (!(error instanceof Cancelled && (controller.signal.aborted || isOver()))) throw error;
  }
}

async function drop({ torrent, disk, isOver }: Doing, from: number, to: number): Promise<void> {
  const { pieceCount } = disk.torrent.info;
  const first = Math.floor(from * pieceCount);
  const dropped = await torrent.dropPieces(first, Math.max(first, Math.ceil(to * pieceCount) - 1));
  if (isOver()) return;
  // Some may have come back meanwhile, because a reader wanted them after all.
  for (const piece of dropped) if (!disk.recorded.has(piece)) disk.wipe(piece);
}

async function restart({ world, name, torrent, storage, reopen, isOver }: Doing, forMs: number): Promise<void> {
  await torrent.stop();
  if (isOver()) return;
  const isNothing =
    torrent.peerCount === 0 && storage.running === 0 && (storage.isClosed || torrent.info === undefined);
  world.referee.check(isNothing, 'after stop nothing is left', () => `${name}: of a torrent that was taken out`);
  await sleep(world.clock, forMs);
  if (!isOver()) reopen();
}

async function rot(doing: Doing, nth: number): Promise<void> {
  const { world, torrent, disk, isOver } = doing;
  await sleep(world.clock, QUIET_MS);
  if (isOver() || torrent.info === undefined) return;
  disk.isSuspect = true;
  for (let piece = nth - 1; piece < disk.recorded.length; piece += nth) disk.wipe(piece);
  await recheck(doing);
  if (!isOver()) disk.isSuspect = false;
}
