/**
 * A whole Seedbed for browser tests: the built web app served by the real server in a folder of its own, and people who
 * visit it, each a Chromium with a profile of its own that notes every request it makes.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { type Browser, type BrowserOptions, openBrowser } from '../../support/chromium.ts';
import { findProgram } from '../../support/peers.ts';
import { startProgram } from '../../support/program.ts';
import { type RunningServer, startServer } from '../../support/server.ts';
import { temporaryFolder } from '../../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const BUILD_TIMEOUT_MS = 120_000;

/** `npm test` builds the app; a test run by hand builds it when it is not there. */
async function ensureWebApp(): Promise<void> {
  if (existsSync(path.join(ROOT, 'dist/web/index.html'))) return;
  // The test runner's own NODE_ENV would build the development form, which is over the size budget.
  const env = { ...process.env, NODE_ENV: 'production' };
  const vite = ['node_modules/vite/bin/vite.js', 'build', 'web'];
  await using build = startProgram(process.execPath, vite, { cwd: ROOT, env });
  await build.line(/built in/, BUILD_TIMEOUT_MS);
  await build.ended;
}

export interface House extends AsyncDisposable {
  readonly server: RunningServer;
  readonly origin: string;
  /** The set-up link as the operator's terminal shows it; works once. */
  readonly setupLink: string;
}

/** `await using house = await openHouse();` */
export async function openHouse(settings: Readonly<Record<string, string>> = {}): Promise<House> {
  await ensureWebApp();
  const folder = await temporaryFolder('house');
  try {
    const server = await startServer({ dataFolder: folder.path, settings });
    const token = (await readFile(path.join(folder.path, 'setup-token'), 'utf8')).trim();
    return {
      server,
      origin: server.origin,
      setupLink: `${server.origin}/setup#${token}`,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

export interface Visitor extends Browser {
  /** Every address this browser has asked for, WebSockets included. */
  readonly requests: readonly string[];
}

/** A browser with a profile of its own. */
export async function newVisitor(options: Omit<BrowserOptions, 'executablePath'> = {}): Promise<Visitor> {
  const browser = await openBrowser({ executablePath: findProgram('chromium') ?? 'chromium', ...options });
  const requests: string[] = [];
  browser.context.on('request', (request) => requests.push(request.url()));
  return {
    ...browser,
    requests,
    newPage: async () => {
      const page = await browser.newPage();
      page.on('websocket', (socket) => requests.push(socket.url()));
      return page;
    },
  };
}

/** Opens the set-up link and makes a fresh key of this browser the owner. Ends on the home page. */
export async function becomeOwner(page: Page, house: Pick<House, 'setupLink'>): Promise<void> {
  await page.goto(house.setupLink);
  await page.getByRole('button', { name: /Create a key/ }).click();
  await page.getByRole('button', { name: 'I have kept it' }).click();
  await page.getByRole('link', { name: 'Publish the first file' }).click();
  await page.getByTestId('choose-files').waitFor();
}
