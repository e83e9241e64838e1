/**
 * The swarm as the pages use it. The client and everything behind it load after the first paint; until then, and where a
 * browser cannot take part, hooks give undefined and the page plays over HTTP.
 */
import { useEffect, useEffectEvent, useState } from 'react';
import type { MediumInfo } from '../../../src/base/api.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { NotFound, Unavailable } from '../../../src/base/errors.ts';
import type { InfoHashV1 } from '../../../src/base/ids.ts';
import { sleep } from '../../../src/base/tasks.ts';
import type {
  OpenMedium,
  SeededFile,
  SeedOptions,
  SwarmClient,
  SwarmSettings,
  SwarmStats,
  SwarmStatus,
} from '../swarm/index.ts';
import { inBackground } from './problems.ts';

/** Loads the client and everything behind it; the app's entry says how. */
export type SwarmLoader = () => Promise<SwarmClient>;

let loader: SwarmLoader | undefined;
let loading: Promise<SwarmClient> | undefined;

/** Call once, before the first render. */
export function connectSwarm(swarmLoader: SwarmLoader): void {
  loader = swarmLoader;
}

async function load(): Promise<SwarmClient> {
  if (loader === undefined) throw new Unavailable('this browser cannot join the swarm');
  const client = await loader();
  inBackground(client.start());
  return client;
}

/** The one client of this tab; loads it on first use. @throws ApiFailed when the server cannot be asked how */
export async function swarmClient(): Promise<SwarmClient> {
  loading ??= load();
  try {
    return await loading;
  } catch (error) {
    loading = undefined; // the next caller tries again
    throw error;
  }
}

/** Hashes a file and seeds it from this browser. @throws Cancelled, InvalidInput, StorageFailed */
export async function seedFile(file: File, options: SeedOptions): Promise<SeededFile> {
  const client = await swarmClient();
  return await client.seedFile(file, options);
}

/** Stops seeding the torrent from this browser; one that is not held is no error. @throws StorageFailed */
export async function unseed(infoHash: InfoHashV1): Promise<void> {
  const client = await swarmClient();
  await client.library.remove(infoHash).catch((error: unknown) => {
    if (!(error instanceof NotFound)) throw error;
  });
}

/** Where nobody waits for the swarm it must not hold the first paint up. */
export type LoadMoment = 'now' | 'idle';

const IDLE_TIMEOUT_MS = 3_000;

async function moment(when: LoadMoment): Promise<void> {
  if (when === 'now') return;
  await new Promise<void>((resolve) => {
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => resolve(), { timeout: IDLE_TIMEOUT_MS });
    else setTimeout(resolve, 0);
  });
}

/** The client once it is loaded; undefined for good where it cannot be: pages then play over HTTP and say so. */
export function useSwarm(when: LoadMoment = 'now'): SwarmClient | undefined {
  const [client, setClient] = useState<SwarmClient>();
  useEffect(() => {
    moment(when)
      .then(swarmClient)
      .then(setClient, () => setClient(undefined));
  }, [when]);
  return client;
}

/** Live figures of one torrent, at most four times a second. */
export function useSwarmStats(infoHash: InfoHashV1 | undefined): SwarmStats | undefined {
  const client = useSwarm();
  const [stats, setStats] = useState<SwarmStats>();
  useEffect(() => (infoHash === undefined ? undefined : client?.watchStats(infoHash, setStats)), [client, infoHash]);
  return stats?.infoHash === infoHash ? stats : undefined;
}

export function useSwarmStatus(when: LoadMoment = 'now'): SwarmStatus | undefined {
  const client = useSwarm(when);
  const [status, setStatus] = useState<SwarmStatus>();
  useEffect(() => client?.watchStatus(setStatus), [client]);
  return status;
}

export interface SwarmSettingsHandle {
  /** Undefined until they have been read. */
  readonly settings: SwarmSettings | undefined;
  readonly change: (change: Partial<SwarmSettings>) => void;
}

export function useSwarmSettings(when: LoadMoment = 'now'): SwarmSettingsHandle {
  const client = useSwarm(when);
  const [settings, setSettings] = useState<SwarmSettings>();
  useEffect(() => {
    if (client === undefined) return undefined;
    inBackground(client.settings.get().then(setSettings));
    return client.settings.watch(setSettings);
  }, [client]);
  const change = (wanted: Partial<SwarmSettings>): void => {
    if (client !== undefined) inBackground(client.settings.set(wanted).then(setSettings));
  };
  return { settings, change };
}

/** A swarm that is not ready by then does not hold playback up. */
const OPEN_TIMEOUT_MS = 4_000;

function overHttp(medium: MediumInfo): OpenMedium {
  return { src: medium.url, through: 'http', close: () => undefined };
}

async function openMedium(medium: MediumInfo, signal: AbortSignal): Promise<OpenMedium> {
  const opening = swarmClient().then((client) => client.open(medium));
  const timeout = sleep(systemClock, OPEN_TIMEOUT_MS, signal).then(() => undefined);
  const opened = await Promise.race([opening, timeout]);
  if (opened !== undefined) return opened;
  inBackground(opening.then((late) => late.close()));
  return overHttp(medium);
}

/**
 * Joins the medium's swarm while the component is mounted, so key it by hash. Undefined until the source is known; never
 * fails: HTTP is the fallback.
 */
export function useOpenMedium(medium: MediumInfo): OpenMedium | undefined {
  const [opened, setOpened] = useState<OpenMedium>();
  const join = useEffectEvent(async (signal: AbortSignal) => {
    return await openMedium(medium, signal).catch(() => overHttp(medium));
  });
  useEffect(() => {
    const left = new AbortController();
    const open = async (): Promise<void> => {
      const found = await join(left.signal);
      if (left.signal.aborted) found.close();
      else setOpened(found);
    };
    inBackground(open());
    return () => {
      left.abort();
      setOpened((current) => {
        current?.close();
        return undefined;
      });
    };
  }, []);
  return opened;
}
