/** What the HTTP tests share: a listener on a free port, a raw client that sends exactly what it is told, blobs to serve. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { Accounts } from '../../src/accounts/accounts.ts';
import { accountMigrations, type AccountTables } from '../../src/accounts/tables.ts';
import { FsBlobStore } from '../../src/adapters/fs/blob-store.ts';
import { WorkerFollowerPool } from '../../src/adapters/fs/follower-pool.ts';
import { SqliteRows } from '../../src/adapters/sqlite/sqlite-rows.ts';
import type { UploadPolicy } from '../../src/base/api.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Unavailable } from '../../src/base/errors.ts';
import { parseSha256, type Sha256 } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { GIB, HOUR_MS, MIB } from '../../src/base/units.ts';
import type { HttpLimits } from '../../src/http/limits.ts';
import type { MediaPort } from '../../src/http/ports.ts';
import { createHttp } from '../../src/http/server.ts';
import { loadAssets } from '../../src/http/web/assets.ts';
import type { MediaLimits } from '../../src/media/context.ts';
import { Media } from '../../src/media/media.ts';
import { mediaMigrations, type MediaTables } from '../../src/media/tables.ts';
import type { MediaList, Medium } from '../../src/media/medium.ts';
import type { LatinId } from '../../src/codec/tracker-ws.ts';
import { HttpTracker } from '../../src/tracker/http.ts';
import { SwarmRegistry } from '../../src/tracker/registry.ts';
import { SignalHub } from '../../src/tracker/signal-hub.ts';
import type { BlobReader } from '../../src/store/blobs.ts';
import { freePort } from '../support/free-port.ts';
import { testFolder } from '../support/temp-dir.ts';

export const SETUP_TOKEN = 'the-secret-of-the-link';
export const TOO_LARGE_BYTES = 64 * MIB;

export interface HttpWorld {
  readonly port: number;
  readonly origin: string;
  readonly accounts: Accounts;
  readonly registry: Registry;
  url(path: string): string;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly media: MediaPort;
  readonly uploads?: UploadPolicy;
  readonly mediaUrl?: (port: number) => string;
  /** Folder of a built web app. */
  readonly webFolder?: string;
  readonly limits?: Partial<HttpLimits>;
}

/** The whole public listener, with real accounts; closed when the running test has finished. */
export async function openWorld(options: WorldOptions): Promise<HttpWorld> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const accounts = await openAccounts(origin, options.uploads ?? 'anyone');
  const metrics = new Registry();
  const registry = new SwarmRegistry({
    clock: systemClock,
    admission: { admits: (key) => options.media.torrentByKey(key) !== undefined },
    ownSeed: { addressFor: () => undefined },
  });
  const http = createHttp({
    media: options.media,
    accounts,
    swarms: registry,
    tracker: new HttpTracker(registry),
    hub: new SignalHub({ registry, clock: systemClock, ownPeerId: '-SB0001-the-own-seed' as LatinId }),
    clock: systemClock,
    log: silentLog,
    registry: metrics,
    assets: options.webFolder === undefined ? new Map() : await loadAssets(options.webFolder),
    settings: {
      host: '127.0.0.1',
      port,
      urls: {
        publicUrl: origin,
        mediaUrl: options.mediaUrl?.(port) ?? origin,
        trackers: [`ws://127.0.0.1:${port}/announce`, `${origin}/announce`],
      },
      siteName: 'A test server',
      version: '0.0.0-test',
      maxUploadBytes: TOO_LARGE_BYTES,
      iceServers: [],
      trustProxy: false,
      limits: { graceMs: 0, ...options.limits },
    },
  });
  await http.listen();
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= http.close());
  onTestFinished(close);
  return { port, origin, accounts, registry: metrics, url: (target) => origin + target, close };
}

/** What is kept and how, on this machine's disk: the real thing, as `app` puts it together. */
export interface Storage {
  readonly media: Media;
  readonly store: FsBlobStore;
  /** Folder of `blobs/` and `incoming/`. */
  readonly root: string;
}

export async function openStorage(limits: Partial<MediaLimits> = {}): Promise<Storage> {
  const root = await testFolder('http-media');
  const store = await FsBlobStore.open({ root, floor: { share: 0, bytes: 0 } });
  const rows = await SqliteRows.open<MediaTables>({ file: path.join(root, 'seedbed.db'), migrations: mediaMigrations });
  const followers = new WorkerFollowerPool({ root, threads: 1 });
  const media = new Media({ rows, store, followers, clock: systemClock, log: silentLog }, { ...LIMITS, ...limits });
  await media.recover();
  onTestFinished(async () => {
    await media.stop();
    await followers.close();
    await rows.close();
  });
  return { media, store, root };
}

const LIMITS: MediaLimits = {
  policy: 'anyone',
  maxUploadBytes: TOO_LARGE_BYTES,
  totalQuotaBytes: 100 * GIB,
  uploadExpiryMs: HOUR_MS,
  unlinkGraceMs: 0,
  acceptedTypes: [],
  maxIdleReaders: 4,
};

/** A public listener over real storage. */
export async function openServer(
  options: Omit<WorldOptions, 'media'> & { readonly media?: Partial<MediaLimits> } = {},
): Promise<Storage & HttpWorld> {
  const { media: limits, uploads = 'anyone', ...rest } = options;
  const storage = await openStorage({ policy: uploads, ...limits });
  return { ...storage, ...(await openWorld({ ...rest, uploads, media: storage.media })) };
}

async function openAccounts(publicUrl: string, uploads: UploadPolicy): Promise<Accounts> {
  const file = path.join(await testFolder('http'), 'accounts.db');
  const rows = await SqliteRows.open<AccountTables>({ file, migrations: accountMigrations });
  onTestFinished(() => rows.close());
  const settings = { publicUrl, uploads, quotaBytes: GIB, guestQuotaBytes: GIB, setupToken: SETUP_TOKEN };
  return new Accounts(rows, systemClock, settings);
}

export interface Fixture {
  readonly bytes: Uint8Array;
  readonly name?: string;
  readonly type?: string;
}

/** Blobs that are already stored, read from memory; counts readers, so that a test sees whether each was given back. */
export class BlobsInMemory implements MediaPort {
  readonly #media = new Map<Sha256, { readonly medium: Medium; bytes: Uint8Array }>();
  openReaders = 0;

  add({ bytes, name = 'a name', type = 'video/mp4' }: Fixture): Sha256 {
    const sha256 = parseSha256(createHash('sha256').update(bytes).digest('hex'));
    const medium = {
      sha256,
      sizeBytes: bytes.length,
      crc32: crc32(bytes),
      type,
      name,
      createdAtMs: Date.UTC(2026, 10, 20, 8),
    };
    this.#media.set(sha256, { medium, bytes });
    return sha256;
  }

  /** The file on disk loses its tail behind our back. */
  shrink(sha256: Sha256, sizeBytes: number): void {
    const blob = this.#media.get(sha256);
    if (blob !== undefined) blob.bytes = blob.bytes.subarray(0, sizeBytes);
  }

  find(sha256: Sha256): Medium | undefined {
    return this.#media.get(sha256)?.medium;
  }

  findPending(): undefined {}
  torrentByKey(): undefined {}
  findUpload(): undefined {}
  usedBytes = (): number => 0;
  checkUpload: MediaPort['checkUpload'] = unused;
  createUpload: MediaPort['createUpload'] = unused;
  declareLength: MediaPort['declareLength'] = unused;
  append: MediaPort['append'] = unused;
  finish: MediaPort['finish'] = unused;
  terminate: MediaPort['terminate'] = unused;
  ingest: MediaPort['ingest'] = unused;
  remove: MediaPort['remove'] = unused;

  ownersOf(): [] {
    return [];
  }

  list(): MediaList {
    return { media: [...this.#media.values()].map(({ medium }) => medium) };
  }

  async openBlob(sha256: Sha256): Promise<BlobReader | undefined> {
    const blob = this.#media.get(sha256);
    if (blob === undefined) return undefined;
    this.openReaders++;
    let isOpen = true;
    const close = async (): Promise<void> => {
      if (isOpen) this.openReaders--;
      isOpen = false;
    };
    return {
      sizeBytes: blob.bytes.length,
      fingerprint: sha256,
      read: async (views, position) => copyInto(views, blob.bytes.subarray(position)),
      close,
      [Symbol.asyncDispose]: close,
    };
  }
}

/** This double serves; what takes media in is tested with the real thing. */
function unused(): never {
  throw new Unavailable('not part of this test');
}

function copyInto(views: readonly Uint8Array[], bytes: Uint8Array): number {
  let copied = 0;
  for (const view of views) {
    const part = bytes.subarray(copied, copied + view.length);
    view.set(part);
    copied += part.length;
  }
  return copied;
}

/** Sends the text as it is and resolves with everything that comes until the server closes. */
export async function rawExchange(port: number, request: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined); // a reset ends the exchange like any other end
  socket.write(request);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}
