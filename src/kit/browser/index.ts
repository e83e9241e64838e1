/**
 * The engine in a browser, ready to use, in two halves, because peer connections exist only in pages and fast storage only
 * in workers:
 *
 *     // page.ts
 *     const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
 *     const page = new PageSwarm({ worker, trackerUrl: 'wss://example.org/announce' });
 *
 *     // worker.ts
 *     const swarm = new WorkerSwarm();
 *     const torrent = await swarm.add('magnet:?xt=…', { mode: 'on-demand' });
 *     const { totalBytes } = await torrent.ready();
 *     for await (const bytes of torrent.read({ start: 0, endExclusive: totalBytes })) use(bytes);
 *     const { magnet } = await swarm.seed(pickedFile);               // a File, sent over by the page
 *
 * Who wants other storage uses `swarm.engine.add` and `addByHash`, then `swarm.join`; who wants other parts makes an
 * `Engine` of `seedbed/torrent` with ports of its own.
 */
export { FetchSource } from '../../adapters/browser/fetch-source.ts';
export { FileStorage } from '../../adapters/browser/file-storage.ts';
export {
  type KeptTorrent,
  LeastRecentBudget,
  type StorageBudget,
  type StoragePlan,
} from '../../adapters/browser/storage-budget.ts';
export type { MeetingStatus } from '../../adapters/page/meeting.ts';
export { PageSwarm, type PageSwarmOptions } from './page-swarm.ts';
export type { HashPickedOptions } from './picked-files.ts';
export {
  type SeededTorrent,
  type SeedPickedOptions,
  WorkerSwarm,
  type WorkerSwarmOptions,
  type WorkerTorrentOptions,
} from './worker-swarm.ts';
