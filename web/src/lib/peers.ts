/** How many others take part. Two browsers that both hold everything part ways, yet each is still there for the next viewer. */
import type { MediumInfo } from '../../../src/base/api.ts';
import type { SwarmStats } from '../swarm/index.ts';

/** Others in the swarm: those connected, or those our tracker counts without this browser, whichever is more. */
export function othersInSwarm(
  stats: Pick<SwarmStats, 'peers' | 'state'> | undefined,
  { seeders, leechers }: MediumInfo['swarm'],
): number {
  if (stats === undefined || stats.state === 'http-only') return 0;
  return Math.max(stats.peers, seeders + leechers - 1, 0);
}
