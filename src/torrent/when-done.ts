/** Waiting until a torrent has all that it is to fetch. Invariant: of a wait that is over nothing is left. */
import type { Emitter } from '../base/emitter.ts';
import { Cancelled } from '../base/errors.ts';
import type { TorrentEvents } from './content/torrent-types.ts';

/** A torrent that is being fetched. */
export interface Finishing {
  readonly events: Emitter<TorrentEvents>;
  /** All that is selected is in storage. */
  readonly isDone: boolean;
  readonly isStopped: boolean;
  /** Why nothing more is fetched. */
  readonly failure: Error | undefined;
}

/** Resolves at once where all is here. @throws Cancelled when aborted or stopped first, or why nothing more is fetched */
export function whenDone(torrent: Finishing, signal?: AbortSignal): Promise<void> {
  if (torrent.isDone) return Promise.resolve();
  const { events, failure } = torrent;
  if (failure !== undefined) return Promise.reject(failure);
  if (torrent.isStopped || signal?.aborted === true) return Promise.reject(cancelled(signal));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(cancelled(signal));
  signal?.addEventListener('abort', abort, { once: true });
  const listeners = [
    events.on('done', resolve),
    // What a check finds on the disk was not fetched, so that no `done` tells of it.
    events.on('checked', () => torrent.isDone && resolve()),
    events.on('error', reject),
    events.on('stopped', abort),
  ];
  return promise.finally(() => {
    signal?.removeEventListener('abort', abort);
    for (const off of listeners) off();
  });
}

function cancelled(signal: AbortSignal | undefined): Cancelled {
  return new Cancelled('waiting for the torrent was cancelled', {}, { cause: signal?.reason });
}
