/** A viewer with the player of the seek bench, under a swarm's virtual clock. */
import { Playback } from '../../bench/seek/playback.ts';
import { sleep } from '../../src/base/tasks.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import type { Swarm } from './swarm.ts';

/** 8.14 Mbit/s, as the film of the bench. */
export const BYTES_PER_SECOND = 1_017_500;
/** What a player keeps beyond what it shows. */
const BUFFER_MS = 500;

export interface Viewing {
  readonly playback: Playback;
  isOver: boolean;
  /** Fails when reading did. */
  readonly ended: Promise<void>;
}

/** Opens at `start`, plays for `playMs` and leaves, as a player does; time passes elsewhere. */
export function view(swarm: Swarm, torrent: Torrent, start: number, playMs: number): Viewing {
  const { clock } = swarm;
  const playback = new Playback({ bytesPerSecond: BYTES_PER_SECOND, playMs }, clock.monotonicMs());
  const stop = new AbortController();
  const endExclusive = torrent.info?.totalBytes ?? 0;
  const stream = torrent.read({ start, endExclusive, bytesPerSecond: BYTES_PER_SECOND, signal: stop.signal });
  const play = async (): Promise<void> => {
    for await (const chunk of stream) {
      playback.arrived(chunk.length, clock.monotonicMs());
      const endsInMs = playback.endsInMs(clock.monotonicMs());
      if (endsInMs !== undefined) clock.after(endsInMs, () => stop.abort());
      const surplusMs = playback.bufferedMs(clock.monotonicMs()) - BUFFER_MS;
      if (surplusMs > 0) await sleep(clock, surplusMs, stop.signal);
    }
  };
  const ended = play()
    .catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    })
    .finally(() => (viewing.isOver = true));
  const viewing: Viewing = { playback, isOver: false, ended };
  return viewing;
}

/** Opens at `start`, plays for `playMs` and leaves; resolves when it is over. */
export async function watch(swarm: Swarm, torrent: Torrent, start: number, playMs: number): Promise<Playback> {
  return watched(swarm, view(swarm, torrent, start, playMs));
}

/** Lets time pass until the viewing is over. */
export async function watched(swarm: Swarm, viewing: Viewing): Promise<Playback> {
  await swarm.until(() => viewing.isOver, 120_000);
  await viewing.ended;
  return viewing.playback;
}
