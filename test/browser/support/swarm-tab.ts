/** A tab with a swarm client, as the web app has one. */
import { createSwarmClient } from '../../../web/src/swarm/index.ts';
import type { SwarmClient, SwarmMedium, SwarmStats } from '../../../web/src/swarm/types.ts';

declare global {
  var seedbed: SwarmClient | undefined;
}

/** The one client of this tab, started. */
export async function client(): Promise<SwarmClient> {
  globalThis.seedbed ??= createSwarmClient(() =>
    Promise.resolve({ trackerUrl: `${location.origin.replace('http', 'ws')}/announce`, iceServers: [] }),
  );
  await globalThis.seedbed.start();
  return globalThis.seedbed;
}

/** Fetches a URL of this site as a picked file. */
export async function fileOf(url: string, name: string, type: string): Promise<File> {
  return new File([await (await fetch(url)).blob()], name, { type });
}

/** SHA-256 in hex of what `url` answers. */
export async function sha256Of(url: string, range?: string): Promise<string> {
  const response = await fetch(url, range === undefined ? {} : { headers: { range } });
  const digest = await crypto.subtle.digest('SHA-256', await response.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Resolves with the first stats for which `isIt` holds. */
export function statsWhen(
  swarm: SwarmClient,
  infoHash: SwarmStats['infoHash'],
  isIt: (stats: SwarmStats) => boolean,
): Promise<Omit<SwarmStats, 'pieces'>> {
  return new Promise((resolve) => {
    const stop = swarm.watchStats(infoHash, ({ pieces, ...stats }) => {
      if (!isIt({ ...stats, pieces })) return;
      queueMicrotask(() => stop());
      resolve(stats);
    });
  });
}

export type { SwarmMedium };
export { timeToFirstFrame, playVideo, seek } from './playback.ts';

/** Milliseconds from joining a swarm that only peers know the metadata of to having them, connection included. */
export async function firstMetadataMs(trackerUrl: string, medium: SwarmMedium): Promise<number> {
  const infoHash = medium.torrent?.infoHash;
  if (infoHash === undefined) throw new Error('the medium has no torrent');
  const swarm = createSwarmClient(() => Promise.resolve({ trackerUrl, iceServers: [] }));
  await swarm.start();
  // A visit before may have kept them.
  await swarm.library.remove(infoHash).catch(() => undefined);
  const known = statsWhen(swarm, infoHash, ({ state }) => state !== 'starting');
  const startMs = performance.now();
  const opening = swarm.open(medium);
  await known;
  const elapsedMs = performance.now() - startMs;
  (await opening).close();
  await swarm.close();
  return elapsedMs;
}
