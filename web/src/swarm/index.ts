/** The public face of the swarm for the pages of the web app. Loaded after the first paint. */
import { systemClock } from '../../../src/base/clock.ts';
import { type Log, silentLog } from '../../../src/base/log.ts';
import { TabSwarm } from './client.ts';
import type { SwarmClient, SwarmServer } from './types.ts';

export type {
  HeldMedium,
  OpenMedium,
  SeededFile,
  SeedOptions,
  SwarmClient,
  SwarmServer,
  SwarmSettings,
  SwarmStats,
  SwarmStatus,
  SwarmUsage,
} from './types.ts';

/** The one client of a tab. `loadServer` is asked when the first swarm is joined, and again every few minutes. */
export function createSwarmClient(loadServer: () => Promise<SwarmServer>, log: Log = silentLog): SwarmClient {
  return new TabSwarm({
    clock: systemClock,
    log,
    loadServer,
    createWorker: () =>
      new Worker(new URL('../worker/swarm-worker.ts', import.meta.url), { type: 'module', name: 'swarm' }),
  });
}
