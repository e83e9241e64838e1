/** A browser that grants little, in a real Chromium: what is stored, what goes, and what happens when the disk is full. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import type * as Adapters from './support/adapters.ts';
import { inWorker, openSite, type Site } from './support/site.ts';

type Modules = typeof Adapters;

/** The browser grants a file room in steps of up to 8 MiB, so less would be lost in the rounding. */
const PIECE = 1024 * 1024;

let site: Site;
beforeAll(async () => {
  site = await openSite({ entries: { modules: 'test/browser/support/adapters.ts' } });
});
afterAll(() => site[Symbol.asyncDispose]());

/** A page of an origin that may store so many bytes. */
async function pageWithQuota(browser: Browser, quotaSize: number): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.origin);
  const session = await browser.context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', { origin: site.origin, quotaSize });
  return page;
}

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

const torrentOf = (pieceCount: number) => ({ pieceCount, pieceLengthBytes: PIECE, totalBytes: pieceCount * PIECE });

describeWith(['chromium'], 'with a small quota', () => {
  test('torrents are kept while they fit, the least recently used make way, and what is open stays', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const seen = await inWorker(
      page,
      async ({ PieceVault, LeastRecentBudget, systemClock }: Modules, [ten, twelve, thirty]) => {
        const MIB = ten?.pieceLengthBytes ?? 0;
        const memoryLimitBytes = 20 * MIB;
        const budget = new LeastRecentBudget({ hasDisk: true, wishedBytes: () => 32 * MIB, memoryLimitBytes });
        const vault = await PieceVault.open({ folder: 'vault', memoryLimitBytes, budget, clock: systemClock });
        const full = new Uint8Array(ten?.totalBytes ?? 0).fill(1);
        const store = async (name: string): Promise<void> => {
          const { storage } = await vault.open(name, ten as never);
          await storage.write(full, 0);
          await storage.close();
          await new Promise((resolve) => setTimeout(resolve, 20)); // so that times of last use differ
        };
        for (const name of ['first', 'second', 'third']) await store(name);
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('vault');
        const names = async (): Promise<string[]> => {
          const found: string[] = [];
          for await (const name of folder.keys()) if (!name.endsWith('.have')) found.push(name);
          return found.sort();
        };
        const before = await names();
        const open = await vault.open('second', ten as never); // opened again: in use
        const { storage } = await vault.open('fourth', twelve as never);
        const after = await names();
        // Neither on disk beside what is open, nor in memory.
        const refused = await vault.open('fifth', thirty as never).catch((error: { code?: string }) => error.code);
        await Promise.all([open.storage.close(), storage.close()]);
        return { before, after, reopened: typeof open.have === 'object' && open.have.isComplete, refused };
      },
      [torrentOf(10), torrentOf(12), torrentOf(30)],
    );
    expect(seen).toEqual({
      before: ['first', 'second', 'third'],
      after: ['fourth', 'second', 'third'],
      reopened: true,
      refused: 'no_space',
    });
  });

  test('a disk that is full after all: idle torrents go first, then memory is used up to its cap and never recorded', async () => {
    await using browser = await newBrowser();
    const page = await pageWithQuota(browser, 40 * PIECE);
    const seen = await inWorker(
      page,
      async ({ PieceVault, systemClock }: Modules, [info, small]) => {
        if (info === undefined || small === undefined) throw new Error('no torrents');
        const { pieceLengthBytes } = info;
        // Chromium's estimate says 10 GiB, whatever it will really take.
        const { quota = 0 } = await navigator.storage.estimate();
        const memoryLimitBytes = 30 * pieceLengthBytes;
        const vault = await PieceVault.open({
          folder: 'vault',
          memoryLimitBytes,
          budget: undefined,
          clock: systemClock,
        });
        const idle = await vault.open('idle', small as never);
        await idle.storage.write(new Uint8Array(small.totalBytes), 0);
        await idle.storage.close();
        const { storage } = await vault.open('film', info as never);
        const piece = new Uint8Array(pieceLengthBytes);
        let written = 0;
        let refusal: string | undefined;
        for (; refusal === undefined && written < info.pieceCount; written++) {
          const mark = written + 1;
          refusal = await storage.write(piece.fill(mark), written * pieceLengthBytes).then(
            () => undefined,
            (error: { code?: string }) => error.code ?? 'untyped',
          );
        }
        const held = written - 1;
        let right = 0;
        const view = new Uint8Array(pieceLengthBytes);
        for (let index = 0; index < held; index++) {
          await storage.read([view], index * pieceLengthBytes);
          if (view.every((byte) => byte === index + 1)) right++;
        }
        await storage.close();
        const again = await vault.open('film', info as never);
        let kept = 0;
        for (; typeof again.have === 'object' && again.have.has(kept); kept++) {
          await again.storage.read([view], kept * pieceLengthBytes);
          if (view.some((byte) => byte !== kept + 1)) throw new Error('a kept piece is wrong');
        }
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('vault');
        const files: string[] = [];
        for await (const name of folder.keys()) files.push(name);
        return { isEstimateBlind: quota > info.totalBytes, refusal, held, right, kept, files: files.sort() };
      },
      [torrentOf(100), torrentOf(10)],
    );
    expect(seen.isEstimateBlind).toBe(true);
    expect(seen.files).toEqual(['film', 'film.have']);
    expect(seen.refusal).toBe('no_space');
    expect(seen.right).toBe(seen.held);
    expect(seen.held - seen.kept).toBe(30); // the cap of memory
    expect(seen.kept).toBeGreaterThan(20);
    expect(seen.kept).toBeLessThanOrEqual(40);
  });
});
