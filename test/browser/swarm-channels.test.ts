/** Data channels as byte streams in a real Chromium: moved to a worker, or relayed where they cannot be moved. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from '../support/chromium.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import type * as Channels from './support/channels.ts';
import { inPage, openSite, type Site } from './support/site.ts';

type Modules = typeof Channels;

let site: Site;
beforeAll(async () => {
  site = await openSite({
    entries: { modules: 'test/browser/support/channels.ts', 'echo-worker': 'test/browser/support/echo-worker.ts' },
  });
});
afterAll(() => site[Symbol.asyncDispose]());

describeWith(['chromium'], 'a data channel in a worker', () => {
  test.each(['transferred', 'relayed'] as const)(
    '%s: 8 MiB go there and back unharmed, and what was written before it opened comes first',
    async (way) => {
      await using browser = await openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });
      const page = await browser.newPage();
      await page.goto(site.origin);
      const outcome = await inPage(
        page,
        ({ echoThroughWorker }: Modules, { way: by, sizeBytes }) => echoThroughWorker(by, sizeBytes),
        { way, sizeBytes: 8 * 1024 * 1024 },
      );
      expect(outcome).toEqual({ first: 'hello', same: true });
      expect(browser.problems).toEqual([]);
    },
  );
});
