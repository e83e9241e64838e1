/**
 * How fast a browser stores the pieces of a torrent that come in random order, flush included: the product's store in
 * OPFS, with and without the SHA-1 of each piece, beside OPFS's asynchronous writer and idb-keyval in IndexedDB.
 */
import { KIB, MIB } from '../src/base/units.ts';
import { inWorker, openSite, type Site } from '../test/browser/support/site.ts';
import { openBrowser } from '../test/support/chromium.ts';
import { findProgram, lackOf } from '../test/support/peers.ts';
import type { Bench, Contender } from './support/bench.ts';
import type * as StoreWorker from './web/store-worker.ts';

type Modules = typeof StoreWorker;

const FULL_BYTES = 256 * MIB;
const PIECE_BYTES = [256 * KIB, MIB];
const MEGABYTE = 1_000_000;

const KINDS: readonly (readonly [StoreWorker.StoreKind, string])[] = [
  ['opfs', 'Seedbed in OPFS'],
  ['opfs-verified', 'Seedbed in OPFS, each piece hashed first'],
  ['create-writable', 'OPFS createWritable'],
  ['idb-keyval', 'idb-keyval 6.3.0'],
];

function contender(site: Site, sizeBytes: number, kind: StoreWorker.StoreKind, name: string): Contender {
  return {
    name,
    lack: lackOf('chromium'),
    measure: async () => {
      const figures: Record<string, number> = {};
      for (const pieceBytes of PIECE_BYTES) {
        // A profile of its own on the machine's disk: nothing is left of the round before.
        await using browser = await openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });
        const page = await browser.newPage();
        page.setDefaultTimeout(0);
        await page.goto(site.origin);
        const run = { kind, sizeBytes, pieceBytes };
        const rate = await inWorker(page, ({ measureStore }: Modules, wanted) => measureStore(wanted), run);
        figures[`write${pieceBytes / KIB}`] = rate / MEGABYTE;
      }
      return figures;
    },
  };
}

export const bench: Bench = {
  title: '256 MiB written to the browser’s piece store in random order, with flush (aim: ≥ 500 MB/s)',
  metrics: PIECE_BYTES.map((pieceBytes) => ({
    name: `write${pieceBytes / KIB}`,
    unit: `MB/s, ${pieceBytes / KIB} KiB`,
    better: 'higher',
  })),
  prepare: async ({ scale }) => {
    const site = await openSite({ entries: { modules: 'bench/web/store-worker.ts' } });
    const sizeBytes = Math.max(4 * MIB, Math.round((FULL_BYTES * scale) / MIB) * MIB);
    return {
      contenders: KINDS.map(([kind, name]) => contender(site, sizeBytes, kind, name)),
      [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
    };
  },
};
