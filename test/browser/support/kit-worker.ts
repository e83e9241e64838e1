/** A worker that serves picked files and fetches torrents, as its page asks; nothing but what the kit exports. */
import { fromHex } from '../../../src/base/bytes.ts';
import { WorkerSwarm } from '../../../src/kit/browser/index.ts';
import type { KitAnswer, KitCall, KitDone, SeededLinks, SeedWish } from './kit-messages.ts';

const swarm = new WorkerSwarm();

async function answer(call: KitCall): Promise<KitAnswer> {
  return call.kind === 'seed' ? seed(call.files, call.wish) : fetchAll(call.source);
}

async function seed(files: readonly File[], wish: SeedWish): Promise<SeededLinks> {
  const [only, second] = files;
  const picked = only !== undefined && second === undefined ? only : files;
  const { magnet, metainfo } = await swarm.seed(picked, wish);
  return { magnet, metainfoHex: Array.from(metainfo, (byte) => byte.toString(16).padStart(2, '0')).join('') };
}

/** Path and text of each file. */
async function fetchAll(source: string): Promise<readonly (readonly [string, string])[]> {
  const torrent = await swarm.add(source.startsWith('magnet:') ? source : fromHex(source));
  await torrent.ready();
  const files = torrent.files().map(async ({ index, path }) => {
    const text = await new Response(torrent.file(index).read()).text();
    return [path.join('/'), text] as const;
  });
  return Promise.all(files);
}

globalThis.addEventListener('message', ({ data }: MessageEvent<KitCall>) => {
  if (data.kind !== 'seed' && data.kind !== 'fetch') return; // the swarm's own
  const tell = (done: KitDone): void => globalThis.postMessage(done);
  answer(data).then(
    (result) => tell({ id: data.id, result }),
    (error: unknown) => tell({ id: data.id, problem: String(error) }),
  );
});
