/** The real server as the only seeder, and fresh tabs that know nothing but its tracker and an info hash. */
import type { MediumInfo } from '../../../src/base/api.ts';
import type { Browser } from '../../support/chromium.ts';
import { type RunningServer, startServer } from '../../support/server.ts';
import { temporaryFolder } from '../../support/temp-dir.ts';
import { inPage, openSite } from './site.ts';
import type * as SwarmTab from './swarm-tab.ts';

export interface NodeSwarm extends AsyncDisposable {
  readonly server: RunningServer;
  readonly medium: MediumInfo;
  /** Time to the first metadata over WebRTC, in ms, in a new tab of `browser`. */
  firstMetadataMs(browser: Browser): Promise<number>;
}

/** Starts a server with `bytes` published. */
export async function openNodeSwarm(bytes: Uint8Array<ArrayBuffer>): Promise<NodeSwarm> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder('node-swarm'));
  const settings = { SEEDBED_UPLOADS: 'anyone' };
  const server = stack.use(await startServer({ dataFolder: folder.path, settings }));
  const site = stack.use(await openSite({ entries: { modules: 'test/browser/support/swarm-tab.ts' } }));
  const medium = await publish(server.origin, bytes);
  const trackerUrl = `${server.origin.replace('http', 'ws')}/announce`;
  const started = stack.move();
  return {
    server,
    medium,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
    firstMetadataMs: async (browser) => {
      const page = await browser.newPage();
      await page.goto(site.origin);
      // To the tab it is still being uploaded: neither .torrent nor web seed, peers or nothing.
      const asked = { trackerUrl, medium: { ...medium, state: 'uploading' as const } };
      const elapsedMs = await inPage(
        page,
        ({ firstMetadataMs }: typeof SwarmTab, wanted) => firstMetadataMs(wanted.trackerUrl, wanted.medium),
        asked,
      );
      await page.close();
      return elapsedMs;
    },
  };
}

async function publish(origin: string, bytes: Uint8Array<ArrayBuffer>): Promise<MediumInfo> {
  const form = new FormData();
  form.append('file', new Blob([bytes], { type: 'application/octet-stream' }), 'seeded.bin');
  const response = await fetch(`${origin}/api/v1/media`, { method: 'POST', body: form });
  if (!response.ok) throw new Error(`publishing was answered ${response.status}`);
  const stored = (await response.json()) as MediumInfo;
  return (await (await fetch(`${origin}/api/v1/media/${stored.sha256}`)).json()) as MediumInfo;
}
