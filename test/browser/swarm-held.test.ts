/** What the browser keeps between visits, and how it hashes files, in a real Chromium. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { seededBytes } from '../support/random-bytes.ts';
import type * as Held from './support/held.ts';
import { inWorker, openSite, type Site } from './support/site.ts';

type Modules = typeof Held;

const MIB = 1024 * 1024;

let site: Site;
beforeAll(async () => {
  site = await openSite({
    entries: { modules: 'test/browser/support/held.ts' },
    handler: (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site');
      if (pathname !== '/seeded') return false;
      response.end(seededBytes('held', Number(searchParams.get('bytes'))));
      return true;
    },
  });
});
afterAll(() => site[Symbol.asyncDispose]());

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

const medium = (name: string, sizeBytes: number, lastUsedMs: number) => ({
  infoHash: name.repeat(40),
  sha256: name.repeat(64),
  name,
  type: 'video/mp4',
  sizeBytes,
  pieceLengthBytes: 65_536,
  rawInfo: Uint8Array.of(1, 2, 3),
  have: new Uint8Array(Math.ceil(sizeBytes / 65_536 / 8)),
  isProven: false,
  uploadedBytes: 0,
  lastUsedMs,
});

describeWith(['chromium'], 'media kept by the browser', () => {
  test('are there after the tab was closed, with exactly the pieces that were saved', async () => {
    await using first = await newBrowser();
    const page = await first.newPage();
    await page.goto(site.origin);
    await inWorker(
      page,
      async ({ HeldStore, systemClock, Bitfield }: Modules, record) => {
        const store = await HeldStore.open(systemClock);
        const { storage, have } = await store.create(record as never, { kind: 'disk', evict: [] }, async () => false);
        for (const piece of [0, 2]) {
          await storage.write(new Uint8Array(65_536).fill(piece + 1), piece * 65_536);
          have.set(piece);
        }
        await store.save(record.infoHash as never, have.toBytes(), 7);
        // Written but never saved: must not be claimed.
        await storage.write(new Uint8Array(65_536), 3 * 65_536);
        if (!(have instanceof Bitfield)) throw new Error('no bitfield');
      },
      medium('a', 5 * 65_536, 1),
    );
    await page.close();
    const again = await first.newPage();
    await again.goto(site.origin);
    const seen = await inWorker(
      again,
      async ({ HeldStore, systemClock, toHex }: Modules, infoHash) => {
        const store = await HeldStore.open(systemClock);
        const { storage, have } = await store.openStorage(infoHash as never, async () => false);
        const first3 = [new Uint8Array(1), new Uint8Array(1)];
        await storage.read(first3.slice(0, 1), 0);
        await storage.read(first3.slice(1), 2 * 65_536);
        const [record] = store.list();
        return { have: toHex(have.toBytes()), bytes: first3.map((view) => view[0]), uploaded: record?.uploadedBytes };
      },
      'a'.repeat(40),
    );
    expect(seen).toEqual({ have: 'a0', bytes: [1, 3], uploaded: 7 });
  });

  test('make way for new ones when they are told to, but never while they are open', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const seen = await inWorker(
      page,
      async ({ HeldStore, systemClock }: Modules, [a, b, c]) => {
        const store = await HeldStore.open(systemClock);
        const names = (): string =>
          store
            .list()
            .map(({ name }) => name)
            .sort()
            .join('');
        await store.create(a as never, { kind: 'disk', evict: [] }, async () => false);
        await store.close(a?.infoHash as never);
        await store.create(b as never, { kind: 'disk', evict: [] }, async () => false);
        const before = names();
        await store.create(c as never, { kind: 'disk', evict: [a?.infoHash as never] }, async () => false);
        const refused = await store.evict([b?.infoHash as never]).catch((error: { code?: string }) => error.code);
        return { before, after: names(), refused, used: store.usedBytes };
      },
      [medium('a', 4 * 65_536, 1), medium('b', 4 * 65_536, 2), medium('c', 4 * 65_536, 3)],
    );
    expect(seen).toEqual({ before: 'ab', after: 'bc', refused: 'conflict', used: 8 * 65_536 });
  });

  test('in memory take nothing from the disk, and are gone with the tab', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const seen = await inWorker(
      page,
      async ({ HeldStore, systemClock }: Modules, [a, b]) => {
        const store = await HeldStore.open(systemClock);
        await store.create(a as never, { kind: 'disk', evict: [] }, async () => false);
        const { storage } = await store.create(b as never, { kind: 'memory', evict: [] }, async () => false);
        await storage.write(new Uint8Array(65_536).fill(1), 0);
        await store.save(b?.infoHash as never, Uint8Array.of(0x80), 0);
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('swarm');
        const files: string[] = [];
        for await (const name of folder.keys()) files.push(name[0] ?? '');
        const places = [a, b].map((record) => store.placeOf(record?.infoHash as never));
        await store.close(a?.infoHash as never);
        const later = await HeldStore.open(systemClock);
        return { files, places, used: store.usedBytes, later: later.list().map(({ name }) => name) };
      },
      [medium('a', 65_536, 1), medium('b', 65_536, 2)],
    );
    expect(seen).toEqual({ files: ['a'], places: ['disk', 'memory'], used: 65_536, later: ['a'] });
  });

  test('never claim a piece for which the disk was full for a moment, though the file grew past it later', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const seen = await inWorker(
      page,
      async ({ HeldStore, systemClock, toHex }: Modules, record) => {
        type Write = (from: Uint8Array, options: { at: number }) => number;
        const handles = (globalThis as unknown as { FileSystemSyncAccessHandle: { prototype: { write: Write } } })
          .FileSystemSyncAccessHandle.prototype;
        const write = handles.write;
        handles.write = function (this: unknown, from, options) {
          if (options.at === 65_536) throw new DOMException('no room', 'QuotaExceededError');
          return write.call(this, from, options);
        };
        const store = await HeldStore.open(systemClock);
        const infoHash = record.infoHash as never;
        const { storage, have } = await store.create(record as never, { kind: 'disk', evict: [] }, async () => false);
        for (const piece of [0, 1, 3]) {
          await storage.write(new Uint8Array(65_536).fill(piece + 1), piece * 65_536);
          have.set(piece);
        }
        const view = new Uint8Array(1);
        await storage.read([view], 65_536);
        await store.save(infoHash, have.toBytes(), 0);
        await store.close(infoHash);
        const later = await HeldStore.open(systemClock);
        const again = await later.openStorage(infoHash, async () => false);
        return { readFromMemory: view[0], have: toHex(again.have.toBytes()) };
      },
      medium('a', 5 * 65_536, 1),
    );
    expect(seen).toEqual({ readFromMemory: 2, have: '90' });
  });

  test('whose file or record is gone are forgotten, and their other half is removed', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const seen = await inWorker(
      page,
      async ({ HeldStore, systemClock }: Modules, [a, b]) => {
        const store = await HeldStore.open(systemClock);
        for (const record of [a, b]) {
          await store.create(record as never, { kind: 'disk', evict: [] }, async () => false);
          await store.close(record?.infoHash as never);
        }
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('swarm');
        await folder.removeEntry(a?.infoHash ?? '');
        await folder.getFileHandle('orphan', { create: true });
        const again = await HeldStore.open(systemClock);
        const files: string[] = [];
        for await (const name of folder.keys()) files.push(name[0] ?? '');
        return { files, names: again.list().map(({ name }) => name) };
      },
      [medium('a', 65_536, 1), medium('b', 65_536, 2)],
    );
    expect(seen).toEqual({ files: ['b'], names: ['b'] });
  });
});

describeWith(['chromium'], 'a picked file', () => {
  test.each([0, 1, 262_144, 262_145, 9 * MIB + 5, 65 * MIB])(
    'of %i bytes is hashed like everywhere else',
    async (sizeBytes) => {
      await using browser = await newBrowser();
      const page = await browser.newPage();
      await page.goto(site.origin);
      const hashed = await inWorker(
        page,
        async ({ hashFile, toHex }: Modules, size) => {
          const file = await (await fetch(`/seeded?bytes=${size}`)).blob();
          const progress: number[] = [];
          const never = new AbortController().signal;
          const { sha256, pieces } = await hashFile(file, (bytes) => progress.push(bytes), never);
          return { sha256, pieces: toHex(pieces), last: progress.at(-1) ?? 0 };
        },
        sizeBytes,
      );
      const bytes = seededBytes('held', sizeBytes);
      const pieces = Array.from({ length: Math.ceil(sizeBytes / 262_144) }, (_, piece) =>
        createHash('sha1')
          .update(bytes.subarray(piece * 262_144, (piece + 1) * 262_144))
          .digest('hex'),
      );
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      expect(hashed).toEqual({ sha256, pieces: pieces.join(''), last: sizeBytes });
    },
  );

  test('can be given up while it is hashed', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const code = await inWorker(
      page,
      async ({ hashFile }: Modules, size) => {
        const abort = new AbortController();
        const hashing = hashFile(new Blob([new Uint8Array(size)]), () => abort.abort(), abort.signal);
        return hashing.then(
          () => 'finished',
          (error: { code?: string }) => error.code,
        );
      },
      8 * MIB,
    );
    expect(code).toBe('cancelled');
  });
});
