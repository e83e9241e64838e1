/**
 * The round of all torrents that is played ten times a second. Under a limit that they share they come in the order in
 * which they had something last; where somebody reads, two rounds of three begin there. So a reader comes first, and nobody
 * starves.
 */
import type { Traffic } from './limits/traffic.ts';

/** Every so many rounds readers have no precedence. */
const EVEN_ROUND = 3;
const ROUND_MS = 100;

/** What a round needs of a torrent. */
export interface Player {
  readonly traffic: Pick<Traffic, 'askedAtMs' | 'servedAtMs' | 'isLimited'>;
  readonly isRead: boolean;
  readonly crowd: { pump(): void };
  /** False when there is nothing to do until something happens. */
  tick(nowMs: number): boolean;
}

/** Lets each have its turn, first to ask, then to serve; returns those with nothing to do. */
export function playRound<P extends Player>(players: Iterable<P>, nowMs: number): P[] {
  const isEven = Math.floor(nowMs / ROUND_MS) % EVEN_ROUND === 0;
  const resting = inTurn([...players], isEven).filter((player) => !player.tick(nowMs));
  const serving = [...players];
  if (serving.some(({ traffic }) => traffic.isLimited))
    serving.sort((a, b) => a.traffic.servedAtMs - b.traffic.servedAtMs);
  for (const player of serving) player.crowd.pump();
  return resting;
}

/** Who had nothing for longest first, and readers before all others unless the round is even. */
export function inTurn<P extends Pick<Player, 'traffic' | 'isRead'>>(players: P[], isEven: boolean): P[] {
  if (!players.some(({ traffic }) => traffic.isLimited)) return players;
  return players.toSorted(
    (a, b) => (isEven ? 0 : Number(b.isRead) - Number(a.isRead)) || a.traffic.askedAtMs - b.traffic.askedAtMs,
  );
}
