/**
 * A real Chromium from the system, headless, with a profile of its own: persistent, because OPFS, quotas and service
 * workers behave differently in incognito contexts. Two profiles are two people; two pages of one profile are two tabs.
 */
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { temporaryFolder } from './temp-dir.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--autoplay-policy=no-user-gesture-required',
];

export interface BrowserOptions {
  /** Path of the browser, from `requirePeer(context, 'chromium')`. */
  readonly executablePath: string;
  /** WebRTC candidates as mDNS names, as an ordinary page has them; default false: plain addresses. */
  readonly mdns?: boolean;
  /** A profile to reopen; default a new one, removed afterwards. */
  readonly profile?: string;
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
  /** More flags, e.g. `--unsafely-treat-insecure-origin-as-secure=…`. */
  readonly flags?: readonly string[];
}

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
  readonly profile: string;
  /** A new tab; its console errors and uncaught exceptions end up in `problems`. */
  newPage(): Promise<Page>;
  /** What pages complained about, for `expect(browser.problems).toEqual([])`. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/** `await using alice = await openBrowser({ executablePath: requirePeer(context, 'chromium') });` */
export async function openBrowser(options: BrowserOptions): Promise<Browser> {
  const folder = options.profile === undefined ? await temporaryFolder('chromium') : undefined;
  const profile = options.profile ?? folder?.path ?? '';
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: options.executablePath,
    headless: true,
    args: [
      ...FLAGS,
      ...(options.mdns === true ? [] : ['--disable-features=WebRtcHideLocalIpsWithMdns']),
      ...(options.flags ?? []),
    ],
    viewport: options.viewport ?? { width: 1280, height: 800 },
    colorScheme: options.colorScheme ?? 'light',
  });
  const problems: string[] = [];
  const close = async (): Promise<void> => {
    await context.close();
    await folder?.[Symbol.asyncDispose]();
  };
  return {
    context,
    profile,
    problems,
    newPage: async () => listenTo(await context.newPage(), problems),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listenTo(page: Page, problems: string[]): Page {
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  return page;
}
