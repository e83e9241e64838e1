import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Cancelled } from '../../../src/base/errors.ts';
import { parseInfoHashV1, parseSha256, type Sha256 } from '../../../src/base/ids.ts';
import { ApiFailed } from '../api/http.ts';
import type { SeededFile, SeedOptions } from '../swarm/index.ts';
import type { UploadItem } from './item.ts';
import { MAX_UPLOADS, UploadManager, type UploadPorts } from './manager.ts';
import type { UploadRecord } from './records.ts';
import type { TransferJob, TransferListener } from './tus.ts';

const hashOf = (digit: string): Sha256 => parseSha256(digit.repeat(64));
const infoHash = parseInfoHashV1('f'.repeat(40));

interface Pending<Result> {
  readonly signal: AbortSignal;
  resolve(result: Result): void;
  reject(error: Error): void;
}

interface Transfer extends Pending<void> {
  readonly job: TransferJob;
  readonly listener: TransferListener;
}

/** A world in which hashing and sending end when the test says so. */
class World {
  readonly records = new Map<string, UploadRecord>();
  readonly seeding: (Pending<SeededFile> & { readonly file: File })[] = [];
  readonly sending: Transfer[] = [];
  readonly terminated: string[] = [];
  readonly unseeded: string[] = [];
  readonly reported: unknown[] = [];
  readonly stored = new Set<Sha256>();
  /** Uploads another tab works on. */
  readonly elsewhere = new Set<string>();
  reopened: File | undefined;
  items: readonly UploadItem[] = [];
  readonly manager: UploadManager;
  #ids = 0;

  constructor(records: readonly UploadRecord[] = []) {
    for (const record of records) this.records.set(record.id, record);
    this.manager = new UploadManager(this.#ports());
  }

  #ports(): UploadPorts {
    return {
      clock: systemClock,
      newId: () => `u${++this.#ids}`,
      records: {
        list: async () => [...this.records.values()],
        save: async (record) => void this.records.set(record.id, record),
        remove: async (id) => void this.records.delete(id),
      },
      seed: (file, { signal }: SeedOptions) =>
        new Promise((resolve, reject) => {
          const own = signal ?? new AbortController().signal;
          this.seeding.push({ file, signal: own, resolve, reject });
          own.addEventListener('abort', () => reject(new Cancelled('stopped')));
        }),
      unseed: async (unwanted) => void this.unseeded.push(unwanted),
      transfer: (job, listener, signal) =>
        new Promise((resolve, reject) => {
          this.sending.push({ job, listener, signal, resolve, reject });
          signal.addEventListener('abort', () => reject(new Cancelled('stopped')));
        }),
      terminate: async (uploadUrl) => void this.terminated.push(uploadUrl),
      claim: async (id) => !this.elsewhere.has(id),
      isStored: async (sha256) => this.stored.has(sha256),
      reopen: async () => this.reopened,
      show: (items) => void (this.items = items),
      report: (error) => void this.reported.push(error),
    };
  }

  add(...names: string[]): void {
    this.manager.add(names.map((name) => ({ file: fileOf(name) })));
  }

  item(name: string): UploadItem | undefined {
    return this.items.find((item) => item.name === name);
  }

  phases(): string[] {
    return this.items.map(({ name, phase }) => `${name} ${phase.kind}`);
  }

  async finishHash(at: number, sha256: Sha256): Promise<void> {
    this.seeding[at]?.resolve({ sha256, sizeBytes: 5, torrent: { infoHash, pieceLengthBytes: 1, pieceCount: 5 } });
    await settle();
  }
}

function fileOf(name: string, content = 'hello'): File {
  return new File([content], name, { type: 'text/plain' });
}

/** Lets everything that is ready run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function recordOf(change: Partial<UploadRecord>): UploadRecord {
  const facts = { id: 'old', name: 'old.txt', type: 'text/plain', sizeBytes: 5, createdAtMs: 1, isPaused: false };
  return { ...facts, ...change };
}

test('a file is hashed and seeded, then sent, then it is published and nothing is left to remember', async () => {
  const world = new World();
  world.add('a.txt');
  await settle();
  expect(world.phases()).toEqual(['a.txt hashing']);
  await world.finishHash(0, hashOf('a'));
  expect(world.phases()).toEqual(['a.txt uploading']);
  expect(world.sending[0]?.job.hash).toEqual({ sha256: hashOf('a'), infoHash });
  world.sending[0]?.resolve();
  await settle();
  expect(world.phases()).toEqual(['a.txt stored']);
  expect(world.records.size).toBe(0);
});

test('one file is hashed and two are sent at a time, the others wait their turn', async () => {
  const world = new World();
  world.add('a', 'b', 'c', 'd');
  await settle();
  expect(world.seeding).toHaveLength(1);
  for (const [at, digit] of ['1', '2', '3', '4'].entries()) await world.finishHash(at, hashOf(digit));
  expect(world.sending.map(({ job }) => job.name)).toEqual(['a', 'b']);
  world.sending[0]?.resolve();
  await settle();
  expect(world.sending.map(({ job }) => job.name)).toEqual(['a', 'b', 'c']);
});

test('hash and upload address are remembered as soon as they are known', async () => {
  const world = new World();
  world.add('a');
  await settle();
  await world.finishHash(0, hashOf('a'));
  expect(world.records.get('u1')?.hash?.sha256).toBe(hashOf('a'));
  world.sending[0]?.listener.created('/api/v1/uploads/1');
  expect(world.records.get('u1')?.uploadUrl).toBe('/api/v1/uploads/1');
});

test('a pause stops the work and survives a reload; going on uses the same upload', async () => {
  const world = new World();
  world.add('a');
  await settle();
  await world.finishHash(0, hashOf('a'));
  world.sending[0]?.listener.created('/uploads/1');
  world.manager.pause('u1');
  await settle();
  expect(world.sending[0]?.signal.aborted).toBe(true);
  expect(world.phases()).toEqual(['a paused']);
  expect(world.records.get('u1')?.isPaused).toBe(true);
  world.manager.resume('u1');
  await settle();
  await world.finishHash(1, hashOf('a'));
  expect(world.sending[1]?.job.uploadUrl).toBe('/uploads/1');
  expect(world.records.get('u1')?.isPaused).toBe(false);
});

test('a refusal is shown in the words of the server, and can be tried again', async () => {
  const world = new World();
  world.add('a');
  await settle();
  await world.finishHash(0, hashOf('a'));
  world.sending[0]?.reject(new ApiFailed(507, 'no_space', 'full'));
  await settle();
  expect(world.item('a')?.phase).toEqual({ kind: 'failed', code: 'no_space', message: 'full' });
  world.manager.resume('u1');
  await settle();
  await world.finishHash(1, hashOf('a'));
  expect(world.phases()).toEqual(['a uploading']);
});

test('cancelling drops what the server has, stops the seeding, and its late failure changes nothing', async () => {
  const world = new World();
  world.add('a');
  await settle();
  await world.finishHash(0, hashOf('a'));
  world.sending[0]?.listener.created('/uploads/1');
  await world.manager.cancel('u1');
  await settle();
  expect(world).toMatchObject({ items: [], terminated: ['/uploads/1'], unseeded: [infoHash], reported: [] });
  expect(world.records.size).toBe(0);
});

test('after a reload an upload with a readable file goes on by itself', async () => {
  const handle = {} as FileSystemFileHandle;
  const world = new World([recordOf({ handle, hash: { sha256: hashOf('a') }, uploadUrl: '/uploads/1' })]);
  world.reopened = fileOf('old.txt');
  await world.manager.restore();
  await settle();
  await world.finishHash(0, hashOf('a'));
  expect(world.sending[0]?.job.uploadUrl).toBe('/uploads/1');
});

test.each([
  { handle: undefined, how: 'pick' },
  { handle: {} as FileSystemFileHandle, how: 'ask' },
])('after a reload without the file at hand the user is asked to $how, and the link stays', async ({ handle, how }) => {
  const world = new World([recordOf({ hash: { sha256: hashOf('a') }, ...(handle && { handle }) })]);
  await world.manager.restore();
  expect(world.items[0]).toMatchObject({ phase: { kind: 'needs-file', how }, hash: { sha256: hashOf('a') } });
});

test('what was published meanwhile is not brought back', async () => {
  const world = new World([recordOf({ hash: { sha256: hashOf('a') } })]);
  world.stored.add(hashOf('a'));
  await world.manager.restore();
  expect(world.items).toEqual([]);
  expect(world.records.size).toBe(0);
});

test('what another tab works on is left to it', async () => {
  const world = new World([recordOf({ id: 'theirs' }), recordOf({ id: 'left behind' })]);
  world.elsewhere.add('theirs');
  await world.manager.restore();
  expect(world.items.map(({ id }) => id)).toEqual(['left behind']);
});

test('a wrong file can be replaced by the right one', async () => {
  const world = new World([recordOf({ hash: { sha256: hashOf('a') } })]);
  await world.manager.restore();
  world.manager.provide('old', { file: fileOf('x', 'olleh') });
  await settle();
  await world.finishHash(0, hashOf('b'));
  world.manager.provide('old', { file: fileOf('old.txt') });
  await settle();
  await world.finishHash(1, hashOf('a'));
  expect(world.sending).toHaveLength(1);
});

test('another file of another size is refused at once', async () => {
  const world = new World([recordOf({ hash: { sha256: hashOf('a') } })]);
  await world.manager.restore();
  expect(() => world.manager.provide('old', { file: fileOf('x', 'longer than before') })).toThrow('not the same file');
});

test('another file of the same size is found out by its hash: nothing is sent, and it is not seeded', async () => {
  const world = new World([recordOf({ hash: { sha256: hashOf('a') } })]);
  await world.manager.restore();
  world.manager.provide('old', { file: fileOf('x', 'olleh') });
  await settle();
  await world.finishHash(0, hashOf('b'));
  expect(world.items[0]?.phase).toMatchObject({ kind: 'failed', code: 'hash_mismatch' });
  expect(world.items[0]?.hash?.sha256).toBe(hashOf('a'));
  expect(world).toMatchObject({ sending: [], unseeded: [infoHash] });
});

test('the list is bounded: what does not fit is not taken', () => {
  const world = new World();
  const files = Array.from({ length: MAX_UPLOADS + 7 }, (_, at) => ({ file: fileOf(`f${at}`) }));
  expect(world.manager.add(files)).toBe(MAX_UPLOADS);
  expect(world.items).toHaveLength(MAX_UPLOADS);
});

test('a record that cannot be saved is reported, and the upload goes on', async () => {
  const world = new World();
  world.records.set = () => {
    throw new DOMException('no room', 'QuotaExceededError');
  };
  world.add('a');
  await settle();
  expect(world.phases()).toEqual(['a hashing']);
  expect(world.reported).toHaveLength(1);
});
