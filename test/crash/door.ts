/**
 * The process under test: the real Media on a real disk and database, behind the smallest HTTP door that can carry an
 * upload. Started by `server-process.ts`; killed at any moment.
 */
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { FsBlobStore } from '../../src/adapters/fs/blob-store.ts';
import { WorkerFollowerPool } from '../../src/adapters/fs/follower-pool.ts';
import { SqliteRows } from '../../src/adapters/sqlite/sqlite-rows.ts';
import type { Claim } from '../../src/accounts/claim.ts';
import { systemClock } from '../../src/base/clock.ts';
import { AppError } from '../../src/base/errors.ts';
import { parsePubkey, parseSha256, parseUploadId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { DAY_MS, GIB } from '../../src/base/units.ts';
import type { MediaPorts } from '../../src/media/context.ts';
import { Media } from '../../src/media/media.ts';
import { mediaMigrations } from '../../src/media/tables.ts';
import type { MediaTables } from '../../src/media/tables.ts';
import type { RecoveryReport } from '../../src/media/medium.ts';
import { dyingAt, onePhase, unsyncedDisk } from './faults.ts';
import type { Broken, KillPoint } from './faults.ts';

export interface DoorOptions {
  readonly folder: string;
  readonly broken?: Broken | undefined;
  /** Die at this point, of an upload of this size. */
  readonly kill?: { readonly at: KillPoint; readonly sizeBytes: number } | undefined;
}

/** Sent to the parent once requests are answered. */
export interface DoorReady {
  readonly pid: number;
  readonly port: number;
  readonly report: RecoveryReport | undefined;
}

const claim: Claim = { kind: 'key', pubkey: parsePubkey('a'.repeat(64)), role: 'owner', quotaBytes: GIB };
const STATUS: Readonly<Record<string, number>> = {
  not_found: 404,
  conflict: 409,
  hash_mismatch: 409,
  forbidden: 403,
  too_large: 413,
  no_space: 507,
  unavailable: 503,
};
const never = new AbortController().signal;

async function openMedia({
  folder,
  broken,
  kill,
}: DoorOptions): Promise<{ media: Media; report: RecoveryReport | undefined }> {
  const root = path.join(folder, 'store');
  const isUnsynced = broken === 'no sync';
  const floor = { share: 0, bytes: 0 };
  const store = await FsBlobStore.open({ root, floor, ...(isUnsynced && { disk: unsyncedDisk }) });
  const rows = await SqliteRows.open<MediaTables>({
    file: path.join(folder, 'seedbed.db'),
    migrations: mediaMigrations,
    synchronous: isUnsynced ? 'normal' : 'full',
  });
  const followers = new WorkerFollowerPool({ root, threads: 1 });
  let ports: MediaPorts = { rows, store, followers, clock: systemClock, log: silentLog };
  if (kill !== undefined) ports = dyingAt(ports, kill.at, kill.sizeBytes);
  if (broken === 'one-phase finish') ports = onePhase(ports);
  const limits = { maxUploadBytes: GIB, totalQuotaBytes: GIB, uploadExpiryMs: DAY_MS, unlinkGraceMs: 0 };
  const media = new Media(ports, { policy: 'anyone', acceptedTypes: [], maxIdleReaders: 8, ...limits });
  const report = broken === 'no recovery of finishes' ? undefined : await media.recover();
  return { media, report };
}

async function answer(media: Media, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, kind = '', name = ''] = (request.url ?? '').split('/');
  switch (`${request.method ?? ''} ${kind}`) {
    case 'POST upload': {
      const wish = { name: 'crash', sizeBytes: Number(request.headers['upload-length']) };
      const { id } = await media.createUpload(claim, wish);
      response.writeHead(201, { location: `/upload/${id}` }).end();
      return;
    }
    case 'HEAD upload': {
      const upload = media.findUpload(claim, parseUploadId(name));
      response.writeHead(upload === undefined ? 404 : 200, { 'upload-offset': upload?.offsetBytes ?? 0 }).end();
      return;
    }
    case 'PATCH upload': {
      const offset = Number(request.headers['upload-offset']);
      const upload = await media.append(claim, parseUploadId(name), offset, request, never);
      response.writeHead(204, { 'upload-offset': upload.offsetBytes }).end();
      return;
    }
    case 'PUT blob': {
      const { medium } = await media.ingest(claim, request, { name: 'crash' }, never);
      response.writeHead(201).end(medium.sha256);
      return;
    }
    case 'GET blob':
      await sendBlob(media, name, response);
      return;
    case 'DELETE blob':
      await media.remove(claim, parseSha256(name));
      await media.collectGarbage();
      response.writeHead(204).end();
      return;
    default:
      response.writeHead(405).end();
  }
}

async function sendBlob(media: Media, name: string, response: ServerResponse): Promise<void> {
  const reader = await media.openBlob(parseSha256(name));
  if (reader === undefined) {
    response.writeHead(404).end();
    return;
  }
  const bytes = new Uint8Array(reader.sizeBytes);
  await reader.read([bytes], 0);
  await reader.close();
  response.writeHead(200).end(bytes);
}

function refuse(response: ServerResponse, error: unknown): void {
  const code = error instanceof AppError ? error.code : 'unexpected';
  response.writeHead(STATUS[code] ?? 500, { connection: 'close' }).end(`${code}: ${String(error)}`);
}

const options = JSON.parse(process.argv[2] ?? '{}') as DoorOptions;
const { media, report } = await openMedia(options);
const server = http.createServer((request, response) => {
  answer(media, request, response).catch((error: unknown) => refuse(response, error));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.send?.({ pid: process.pid, port, report } satisfies DoorReady);
});
process.on('disconnect', () => process.exit()); // the test is gone, so nobody would kill this process
