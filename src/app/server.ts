/**
 * Joins the rooms to a running server and takes it apart again. Things start from the ground up and stop in the
 * opposite order: first nobody new is let in, then what runs may end, then what it stood on goes.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Accounts } from '../accounts/accounts.ts';
import { FsBlobStore } from '../adapters/fs/blob-store.ts';
import { errnoOf } from '../adapters/fs/disk.ts';
import { WorkerFollowerPool } from '../adapters/fs/follower-pool.ts';
import { FolderLock } from '../adapters/sqlite/folder-lock.ts';
import { SqliteRows } from '../adapters/sqlite/sqlite-rows.ts';
import { systemClock } from '../base/clock.ts';
import { StorageFailed } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { TaskGroup } from '../base/tasks.ts';
import { HOUR_MS, MINUTE_MS } from '../base/units.ts';
import { createAdmin } from '../http/admin.ts';
import { createHttp } from '../http/server.ts';
import { loadAssets } from '../http/web/assets.ts';
import { Media } from '../media/media.ts';
import { capsOf } from './caps.ts';
import type { Config } from './config.ts';
import { readinessOf } from './readiness.ts';
import { dropSetupToken, loadSetupToken } from './setup-token.ts';
import { announceUrls, startSwarm } from './swarm.ts';
import { migrations, type Tables } from './tables.ts';
import { VERSION } from './version.ts';

/** Removed files stay on the disk this long, so that a mistake can be taken back by an operator. */
const UNLINK_GRACE_MS = HOUR_MS;
const HOUSEKEEPING_MS = 10 * MINUTE_MS;
const WEB_FOLDER = path.resolve(import.meta.dirname, '../../dist/web');

export interface RunningServer {
  /** Present until somebody owns the server. */
  readonly setupUrl: string | undefined;
  /** Files that are kept, each a torrent. */
  readonly torrents: number;
  /** Resolves when everything has ended and every acknowledged byte is on the disk. */
  stop(): Promise<void>;
}

/** @throws AppError when it cannot start; what had started is stopped again. */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  await using started = new AsyncDisposableStack();
  const clock = systemClock;
  await makeDataFolder(config.data);
  started.use(FolderLock.take(config.data));

  const rows = await SqliteRows.open<Tables>({ file: path.join(config.data, 'seedbed.db'), migrations, log, clock });
  started.defer(() => rows.close());
  const store = await FsBlobStore.open({ root: config.data, log });
  const followers = new WorkerFollowerPool({ root: config.data });
  started.defer(() => followers.close());

  const media = new Media(
    { rows, store, followers, clock, log },
    {
      policy: config.uploads,
      maxUploadBytes: config.maxUploadBytes,
      totalQuotaBytes: config.totalQuotaBytes,
      uploadExpiryMs: config.uploadExpiryHours * HOUR_MS,
      unlinkGraceMs: UNLINK_GRACE_MS,
      acceptedTypes: [],
      maxIdleReaders: capsOf(config).idleFiles,
    },
  );
  started.defer(() => media.stop());
  log.info('media.recovered', { ...(await media.recover()) });

  const accounts = new Accounts(rows, clock, {
    publicUrl: config.publicUrl,
    uploads: config.uploads,
    quotaBytes: config.quotaBytes,
    guestQuotaBytes: config.guestQuotaBytes,
    setupToken: await loadSetupToken(config.data),
    onOwned: () => dropSetupToken(config.data),
  });
  const hasOwner = await accounts.hasOwner();
  if (hasOwner) await dropSetupToken(config.data);

  const registry = new Registry();
  const admin = createAdmin({
    registry,
    readiness: () => readinessOf(rows, store),
    clock,
    log,
    port: config.adminPort,
  });
  started.defer(() => admin.close());

  const swarm = await startSwarm(config, { media, rows, clock, log }, started);
  const http = createHttp({
    media,
    accounts,
    swarms: swarm.registry,
    tracker: swarm.tracker,
    hub: swarm.hub,
    clock,
    log,
    registry,
    assets: await loadAssets(WEB_FOLDER),
    settings: {
      host: config.host,
      port: config.port,
      urls: { publicUrl: config.publicUrl, mediaUrl: config.mediaUrl, trackers: announceUrls(config) },
      siteName: config.name,
      version: VERSION,
      maxUploadBytes: config.maxUploadBytes,
      iceServers: config.iceServers.map((urls) => ({ urls })),
      trustProxy: config.trustProxy,
    },
  });
  started.defer(() => http.close());

  const housekeeping = new TaskGroup(log);
  started.defer(() => housekeeping.stop());
  housekeeping.every('housekeeping', HOUSEKEEPING_MS, clock, async () => {
    await media.expire(clock.nowMs());
    await media.collectGarbage();
    await accounts.prune();
  });

  await http.prepare();
  collectDefaultMetrics({ register: registry }); // the loop's delay counts from the first open door on
  await swarm.open(started);
  await http.listen();
  await admin.listen();
  const running = started.move();
  return {
    torrents: media.torrentCount(),
    setupUrl: hasOwner ? undefined : `${config.publicUrl}/setup#${await loadSetupToken(config.data)}`,
    async stop() {
      admin.drain();
      await running.disposeAsync();
    },
  };
}

/** @throws StorageFailed where it cannot be made, or something else has its name. */
async function makeDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o750 });
  } catch (cause) {
    const facts = { folder, reason: errnoOf(cause) };
    throw new StorageFailed('the data folder cannot be made; see SEEDBED_DATA', facts, { cause });
  }
}
