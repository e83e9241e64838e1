/** The browser's piece stores in a real Chromium: what is written stays, what is held exclusively is held, room is honest. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from '../support/chromium.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import type * as Adapters from './support/adapters.ts';
import { inWorker, openSite, type Site } from './support/site.ts';

type Modules = typeof Adapters;

let site: Site;
beforeAll(async () => {
  site = await openSite({ entries: { modules: 'test/browser/support/adapters.ts' } });
});
afterAll(() => site[Symbol.asyncDispose]());

describeWith(['chromium'], 'the piece store in OPFS', () => {
  const newBrowser = (): ReturnType<typeof openBrowser> =>
    openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

  test('pieces written in any order are read back after the tab was closed and opened again', async () => {
    await using browser = await newBrowser();
    const first = await browser.newPage();
    await first.goto(site.origin);
    await inWorker(
      first,
      async ({ OpfsFolder, OpfsStorage, systemClock }: Modules, pieceBytes) => {
        const folder = await OpfsFolder.open('swarm', systemClock);
        if (folder === undefined) throw new Error('no OPFS');
        const storage = new OpfsStorage(await folder.openFile('torrent'));
        for (const piece of [3, 0, 7])
          await storage.write(new Uint8Array(pieceBytes).fill(piece + 1), piece * pieceBytes);
        await storage.sync();
      },
      65_536,
    );
    await first.close();
    const second = await browser.newPage();
    await second.goto(site.origin);
    const seen = await inWorker(
      second,
      async ({ OpfsFolder, OpfsStorage, systemClock }: Modules, pieceBytes) => {
        const folder = await OpfsFolder.open('swarm', systemClock);
        if (folder === undefined) throw new Error('no OPFS');
        const storage = new OpfsStorage(await folder.openFile('torrent'));
        const views = [new Uint8Array(10), new Uint8Array(pieceBytes - 10)];
        const bytes: number[][] = [];
        for (const piece of [0, 3, 7]) {
          await storage.read(views, piece * pieceBytes);
          bytes.push([...new Set(views.flatMap((view) => Array.from(view)))]);
        }
        return { bytes, storedBytes: storage.storedBytes };
      },
      65_536,
    );
    expect(seen).toEqual({ bytes: [[1], [4], [8]], storedBytes: 8 * 65_536 });
  });

  test('a second worker gets the file as soon as the first has let go, and a clear error when it does not', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const outcome = await inWorker(
      page,
      async ({ OpfsFolder, systemClock }: Modules) => {
        const folder = await OpfsFolder.open('swarm', systemClock);
        if (folder === undefined) throw new Error('no OPFS');
        const held = await folder.openFile('torrent');
        const refused = await folder.openFile('torrent').catch((error: { code?: string }) => error.code);
        const later = folder.openFile('torrent');
        held.close();
        (await later).close();
        await folder.remove('torrent');
        return { refused, files: await folder.list() };
      },
      undefined,
    );
    expect(outcome).toEqual({ refused: 'conflict', files: [] });
  });

  test('the browser charges a file by its length, holes included, as the store reports it', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const usage = await inWorker(
      page,
      async ({ OpfsFolder, OpfsStorage, systemClock }: Modules, position) => {
        const folder = await OpfsFolder.open('swarm', systemClock);
        if (folder === undefined) throw new Error('no OPFS');
        const storage = new OpfsStorage(await folder.openFile('torrent'));
        await storage.write(new Uint8Array(1024), position);
        await storage.sync();
        const { usage: charged = 0 } = await navigator.storage.estimate();
        return { charged, storedBytes: storage.storedBytes };
      },
      50_000_000,
    );
    expect(usage.storedBytes).toBe(50_001_024);
    expect(usage.charged).toBeGreaterThanOrEqual(usage.storedBytes);
  });

  test('reading beyond what was written is a storage failure, not zeros', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const code = await inWorker(
      page,
      async ({ OpfsFolder, OpfsStorage, systemClock }: Modules) => {
        const folder = await OpfsFolder.open('swarm', systemClock);
        if (folder === undefined) throw new Error('no OPFS');
        const storage = new OpfsStorage(await folder.openFile('torrent'));
        await storage.write(new Uint8Array(100), 0);
        return storage.read([new Uint8Array(101)], 0).catch((error: { code?: string }) => error.code);
      },
      undefined,
    );
    expect(code).toBe('storage_failed');
  });

  test('a recorded store claims after a crash just what was flushed, and nothing that the browser cut off', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const PIECE = 16_384;
    const seen = await inWorker(
      page,
      async ({ OpfsFolder, RecordedStorage, OpfsStorage, systemClock, toHex }: Modules, pieceLengthBytes) => {
        const folder = await OpfsFolder.open('recorded', systemClock);
        if (folder === undefined) throw new Error('no OPFS');
        const layout = { pieceLengthBytes, totalBytes: 9 * pieceLengthBytes - 7, pieceCount: 9 };
        const piece = new Uint8Array(pieceLengthBytes);
        const open = (): ReturnType<typeof RecordedStorage.open> => RecordedStorage.open(folder, 'torrent', layout);
        // What a worker that is killed leaves: the files as they were, the handles gone.
        const handles: { close(): void }[] = [];
        const crashing = Object.create(folder, {
          openFile: { value: (name: string) => folder.openFile(name).then((file) => (handles.push(file), file)) },
        }) as typeof folder;
        const first = await RecordedStorage.open(crashing, 'torrent', layout);
        for (const index of [7, 0, 8])
          await first.write(index === 8 ? piece.subarray(7) : piece, index * pieceLengthBytes);
        await first.sync();
        await first.write(piece, 3 * pieceLengthBytes);
        for (const handle of handles) handle.close();

        const second = await open();
        const afterCrash = toHex(second.have.toBytes());
        await second.write(piece, 3 * pieceLengthBytes);
        await second.close();
        const third = await open();
        const afterClose = toHex(third.have.toBytes());
        await third.close();

        const file = await folder.openFile('torrent');
        file.truncate(8 * pieceLengthBytes);
        await new OpfsStorage(file).close();
        const fourth = await open();
        const afterCut = toHex(fourth.have.toBytes());
        return { afterCrash, afterClose, afterCut };
      },
      PIECE,
    );
    expect(seen).toEqual({ afterCrash: '8180', afterClose: '9180', afterCut: '9100' });
  });
});
