/** What follows the start of a torrent. Invariant: no torrent runs on that nobody has in hand. */
import type { Torrent } from '../../torrent/index.ts';

/** Runs it and gives what it gives; where it throws, the torrent is stopped first. @throws what it throws */
export async function orStopped<Result>(torrent: Torrent, then: () => Result): Promise<Result> {
  try {
    return then();
  } catch (error) {
    await torrent.stop();
    throw error;
  }
}
