/** Browsers that serve each other, with nothing but a tracker between them. Real Chromium, one profile a person. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { parseSha256 } from '../../src/base/ids.ts';
import { inPage } from './support/site.ts';
import { openSwarmSite, publish, type SwarmSite } from './support/swarm-site.ts';
import type * as SwarmTab from './support/swarm-tab.ts';

type Modules = typeof SwarmTab;

const SIZE_BYTES = 6 * 1024 * 1024 + 77;

let site: SwarmSite;
beforeEach(async () => {
  site = await openSwarmSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

const mediumOf = (seed: string, state: 'uploading' | 'stored'): Promise<SwarmTab.SwarmMedium> =>
  publish(site, seededBytes(seed, SIZE_BYTES), state);

async function seedIn(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.origin);
  await inPage(
    page,
    async ({ client, fileOf }: Modules) => {
      const swarm = await client();
      await swarm.seedFile(await fileOf('/picked', 'a.mp4', 'video/mp4'));
    },
    undefined,
  );
  return page;
}

/** Opens the medium in a new tab and plays it to its end: what came, and from where. */
function play(page: Page, medium: SwarmTab.SwarmMedium): Promise<Played> {
  return inPage(
    page,
    async ({ client, sha256Of, statsWhen }: Modules, wanted) => {
      const swarm = await client();
      const { src, through } = await swarm.open(wanted);
      const sha256 = await sha256Of(src);
      const infoHash = wanted.torrent?.infoHash as never;
      const { fromPeersBytes, fromHttpBytes } = await statsWhen(swarm, infoHash, ({ state }) => state === 'complete');
      return { through, sha256, fromPeersBytes, fromHttpBytes };
    },
    medium,
  );
}

interface Played {
  readonly through: string;
  readonly sha256: string;
  readonly fromPeersBytes: number;
  readonly fromHttpBytes: number;
}

async function openTab(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.origin);
  return page;
}

const whole = (medium: SwarmTab.SwarmMedium, fromPeersBytes: number, fromHttpBytes: number): Played => ({
  through: 'swarm',
  sha256: medium.sha256,
  fromPeersBytes,
  fromHttpBytes,
});

describeWith(['chromium'], 'a crowd of browsers', () => {
  test('what one browser seeds, another plays before the server has a byte of it', async () => {
    const medium = await mediumOf('crowd', 'uploading');
    await using alice = await newBrowser();
    await using bob = await newBrowser();
    await seedIn(alice);
    expect(await play(await openTab(bob), medium)).toEqual(whole(medium, SIZE_BYTES, 0));
    expect([...alice.problems, ...bob.problems]).toEqual([]);
  });

  test('what was played is kept: after a reload it is all there, nothing is fetched or asked again', async () => {
    const medium = await mediumOf('kept', 'stored');
    await using bob = await newBrowser();
    const tab = await openTab(bob);
    expect(await play(tab, medium)).toEqual(whole(medium, 0, SIZE_BYTES));
    await saved(tab);
    site.files.clear();
    await tab.reload();
    expect(await play(tab, medium)).toEqual(whole(medium, 0, 0));
  });

  test('what a viewer kept, it passes on to the next one', async () => {
    const medium = await mediumOf('passed on', 'stored');
    await using bob = await newBrowser();
    await using carol = await newBrowser();
    await play(await openTab(bob), medium);
    site.files.clear();
    expect(await play(await openTab(carol), medium)).toEqual(whole(medium, SIZE_BYTES, 0));
  });

  test('in HTTP-only mode there is no connection to peers or tracker, and media play all the same', async () => {
    const medium = await mediumOf('private', 'stored');
    await using alice = await newBrowser();
    await using bob = await newBrowser();
    await seedIn(alice);
    await eventually('the seeder is at the tracker', () => site.trackerSockets === 1);
    const tab = await bob.newPage();
    await tab.addInitScript(() => {
      const made = { connections: 0 };
      Object.assign(globalThis, { made });
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          made.connections++;
        }
      };
    });
    await tab.goto(site.origin);
    await inPage(tab, async ({ client }: Modules) => (await client()).settings.set({ httpOnly: true }), undefined);
    expect(await play(tab, medium)).toEqual(whole(medium, 0, SIZE_BYTES));
    expect(await tab.evaluate('made.connections')).toBe(0);
    expect(site.trackerSockets).toBe(1);
    await inPage(tab, async ({ client }: Modules) => (await client()).settings.set({ httpOnly: false }), undefined);
    await eventually('with the mode off, it joins', () => site.trackerSockets === 2);
  });

  test('where a browser cannot move channels to a worker, its page passes their bytes on', async () => {
    const medium = await mediumOf('relayed', 'uploading');
    await using alice = await newBrowser();
    await using bob = await newBrowser();
    await seedIn(alice);
    const tab = await bob.newPage();
    await tab.addInitScript(() => {
      type Post = (this: Worker, message: unknown, transfer: Transferable[]) => void;
      const given = Reflect.get(Worker.prototype, 'postMessage') as Post;
      Worker.prototype.postMessage = function postMessage(message: unknown, options?: unknown): void {
        const transfer = Array.isArray(options) ? (options as Transferable[]) : [];
        if (transfer.some((each) => each instanceof RTCDataChannel)) throw new DOMException('no', 'DataCloneError');
        given.call(this, message, transfer);
      };
    });
    await tab.goto(site.origin);
    expect(await play(tab, medium)).toEqual(whole(medium, SIZE_BYTES, 0));
  });

  test('a tab that takes the lead goes on with what the other seeded and played', async () => {
    const medium = await mediumOf('hand-over', 'uploading');
    await using alice = await newBrowser();
    await using bob = await newBrowser();
    const leader = await openTab(alice);
    await inPage(leader, async ({ client }: Modules) => void (await client()), undefined);
    const follower = await seedIn(alice);
    const leads = (page: Page): Promise<boolean> =>
      inPage(
        page,
        async ({ client }: Modules) => {
          const swarm = await client();
          return await new Promise<boolean>((resolve) => {
            const stop = swarm.watchStatus(({ isLeader }) => {
              queueMicrotask(() => stop());
              resolve(isLeader);
            });
          });
        },
        undefined,
      );
    expect([await leads(leader), await leads(follower)]).toEqual([true, false]);
    await leader.close();
    await eventually('the other tab leads', () => leads(follower));
    expect(await play(await openTab(bob), medium)).toEqual(whole(medium, SIZE_BYTES, 0));
  });

  test('a stream goes on from the server when the leading tab is closed under it', async () => {
    const medium = await mediumOf('torn', 'stored');
    await using bob = await newBrowser();
    const leader = await openTab(bob);
    await inPage(leader, async ({ client }: Modules) => void (await client()), undefined);
    const viewer = await openTab(bob);
    site.bytesPerSecond = 2_000_000;
    const playing = inPage(
      viewer,
      async ({ client, sha256Of }: Modules, wanted) => {
        const swarm = await client();
        const { src } = await swarm.open(wanted);
        return await sha256Of(src);
      },
      medium,
    );
    await eventually('it plays', () => site.sentBytes > 1_000_000);
    await leader.close();
    expect(await playing).toBe(medium.sha256);
  });

  test('a medium for which the quota has no room plays from memory, and is not kept', async () => {
    const medium = await mediumOf('too large', 'stored');
    await using bob = await newBrowser();
    const tab = await openTab(bob);
    const seen = await inPage(
      tab,
      async ({ client, sha256Of }: Modules, wanted) => {
        const swarm = await client();
        await swarm.settings.set({ quotaBytes: 1_000_000 });
        const { src } = await swarm.open(wanted);
        const sha256 = await sha256Of(src);
        const held = (await swarm.library.list()).map(({ kept, haveBytes }) => ({ kept, haveBytes }));
        return { sha256, held, usage: await swarm.library.usage() };
      },
      medium,
    );
    expect(seen).toMatchObject({
      sha256: medium.sha256,
      held: [{ kept: 'memory', haveBytes: medium.sizeBytes }],
      usage: { usedBytes: 0, quotaBytes: 1_000_000 },
    });
    await tab.reload();
    expect(await inPage(tab, async ({ client }: Modules) => (await client()).library.list(), undefined)).toEqual([]);
  });

  test('with a disk that is full, a medium plays on from memory, and the next visit claims only what was stored', async () => {
    const medium = await mediumOf('full disk', 'stored');
    await using bob = await newBrowser();
    const tab = await openTab(bob);
    const session = await bob.context.newCDPSession(tab);
    await session.send('Storage.overrideQuotaForOrigin', { origin: site.origin, quotaSize: SIZE_BYTES / 2 });
    expect((await play(tab, medium)).sha256).toBe(medium.sha256);
    const heldBytes = (): Promise<number> =>
      inPage(tab, async ({ client }: Modules) => (await (await client()).library.list())[0]?.haveBytes ?? 0, undefined);
    // A piece plays as soon as it is verified, and counts as held when it has been written.
    await eventually('all of it is held', async () => (await heldBytes()) === SIZE_BYTES);
    await recordedPieces(tab, (pieces) => pieces > 0);
    await tab.reload();
    expect(await heldBytes()).toBeLessThan(SIZE_BYTES / 2);
    expect(await heldBytes()).toBeGreaterThan(0);
    // What was recorded is right: the rest comes anew, and the whole is what it should be.
    await session.send('Storage.overrideQuotaForOrigin', { origin: site.origin });
    expect((await play(tab, medium)).sha256).toBe(medium.sha256);
  });

  test('a torrent whose pieces are right but whose whole is not the medium it names is thrown away', async () => {
    const medium = await publish(site, seededBytes('liar', SIZE_BYTES), 'stored', parseSha256('ab'.repeat(32)));
    await using bob = await newBrowser();
    const tab = await openTab(bob);
    const held = (): Promise<number> =>
      inPage(tab, async ({ client }: Modules) => (await (await client()).library.list()).length, undefined);
    await inPage(
      tab,
      async ({ client, sha256Of }: Modules, wanted) => sha256Of((await (await client()).open(wanted)).src),
      medium,
    );
    await eventually('it is not held any more', async () => (await held()) === 0);
    const honest = await mediumOf('honest', 'stored');
    await play(tab, honest);
    await saved(tab);
    expect(await held()).toBe(1);
  });

  test('what is removed from the library is gone, and its room is free', async () => {
    const medium = await mediumOf('removed', 'stored');
    await using bob = await newBrowser();
    const tab = await openTab(bob);
    await play(tab, medium);
    const seen = await inPage(
      tab,
      async ({ client }: Modules) => {
        const { library } = await client();
        const [held] = await library.list();
        if (held === undefined) throw new Error('nothing is held');
        await library.remove(held.infoHash);
        const again = await library.remove(held.infoHash).catch((error: { code?: string }) => error.code);
        return { name: held.name, after: await library.list(), used: (await library.usage()).usedBytes, again };
      },
      undefined,
    );
    expect(seen).toEqual({ name: 'a.mp4', after: [], used: 0, again: 'not_found' });
  });
});

/** Resolves when the worker has recorded all pieces, and that the whole is right. */
function saved(page: Page): Promise<void> {
  return recordedPieces(page, (pieces, { pieceCount, isProven }) => isProven && pieces === pieceCount);
}

/** Resolves when the one record of the page's store is as wanted. */
async function recordedPieces(
  page: Page,
  isIt: (pieces: number, record: { pieceCount: number; isProven: boolean }) => boolean,
): Promise<void> {
  await eventually('the pieces are recorded', async () => {
    const record = await page.evaluate(readRecord);
    if (record === undefined) return false;
    const ones = (byte: number): number => byte.toString(2).replaceAll('0', '').length;
    return isIt(
      record.have.reduce((sum, byte) => sum + ones(byte), 0),
      record,
    );
  });
}

function readRecord(): Promise<{ have: number[]; pieceCount: number; isProven: boolean } | undefined> {
  return new Promise((resolve) => {
    const opening = indexedDB.open('seedbed-swarm');
    opening.addEventListener('success', () => {
      const all = opening.result.transaction('held').objectStore('held').getAll();
      all.addEventListener('success', () => {
        const [record] = all.result as {
          have: Uint8Array;
          sizeBytes: number;
          pieceLengthBytes: number;
          isProven: boolean;
        }[];
        opening.result.close();
        if (record === undefined) return resolve(undefined);
        const { have, sizeBytes, pieceLengthBytes, isProven } = record;
        resolve({ have: [...have], pieceCount: Math.ceil(sizeBytes / pieceLengthBytes), isProven });
      });
    });
  });
}
