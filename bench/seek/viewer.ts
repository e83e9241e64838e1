/**
 * A viewer with one engine, alone in a process:
 *
 *     node viewer.ts <module in videos/> <torrent> <folder> <host:port>,… <plan as JSON>
 *                                       prints READY, waits for a line, prints `FELT <experiences as JSON>`
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Video, type ViewingPlan, watch } from './player.ts';

/** What a module in `videos/` exports as `openVideo`. */
export type OpenVideo = (swarm: {
  readonly torrentFile: string;
  readonly folder: string;
  readonly addresses: readonly string[];
  readonly bytesPerSecond: number;
}) => Promise<Video>;

const [engine = '', torrentFile = '', folder = '', addresses = '', planText = ''] = process.argv.slice(2);
const plan = JSON.parse(planText) as ViewingPlan;
const module: unknown = await import(`./videos/${engine}`);
const { openVideo } = module as { openVideo: OpenVideo };
const video = await openVideo({
  torrentFile,
  folder,
  addresses: addresses.split(','),
  bytesPerSecond: plan.bytesPerSecond,
});
process.once('SIGTERM', () => process.exit(0));
console.log('READY');
await once(createInterface(process.stdin), 'line');
console.log(`FELT ${JSON.stringify(await watch(video, plan))}`);
