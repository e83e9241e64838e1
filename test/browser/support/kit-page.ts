/** A page with the browser kit: one tracker, one worker, and two things to ask of it. */
import { PageSwarm } from '../../../src/kit/browser/index.ts';
import type { KitAnswer, KitCall, KitDone, SeededLinks, SeedWish } from './kit-messages.ts';

let worker: Worker | undefined;
let lastId = 0;

/** Starts the worker; call it first. */
export async function open(trackerUrl: string): Promise<void> {
  worker = new Worker('/kit-worker.js', { type: 'module' });
  Object.assign(globalThis, { swarm: new PageSwarm({ worker, trackerUrl }) });
}

type Call = KitCall extends infer Each ? (Each extends KitCall ? Omit<Each, 'id'> : never) : never;

function ask(call: Call): Promise<KitAnswer> {
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    worker?.addEventListener('message', ({ data }: MessageEvent<KitDone>) => {
      if (data.id !== id) return;
      if (data.result === undefined) reject(new Error(data.problem));
      else resolve(data.result);
    });
    worker?.postMessage({ ...call, id });
  });
}

/** Seeds files made here, by name and text. */
export async function seed(files: Readonly<Record<string, string>>, wish: SeedWish): Promise<SeededLinks> {
  const picked = Object.entries(files).map(([name, text]) => new File([text], name));
  return (await ask({ kind: 'seed', files: picked, wish })) as SeededLinks;
}

/** Fetches a torrent whole: path and text of each file. */
export async function fetchAll(source: string): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await ask({ kind: 'fetch', source })) as [string, string][]);
}
