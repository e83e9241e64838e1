/** A hashing thread: gives each of its jobs one slice per round, and listens for news between rounds. */
import { parentPort } from 'node:worker_threads';
import { StorageFailed } from '../../base/errors.ts';
import { errnoOf } from './disk.ts';
import { FollowJob } from './follow-job.ts';
import type { FromFollowThread, ToFollowThread } from './follow-messages.ts';

const port = parentPort;
if (port === null) throw new StorageFailed('hashing runs in a worker thread only');
const jobs = new Map<number, FollowJob>();
let isRoundPlanned = false;

const tell = (message: FromFollowThread): void => port.postMessage(message);

function planRound(): void {
  if (isRoundPlanned) return;
  isRoundPlanned = true;
  setImmediate(runRound);
}

function runRound(): void {
  isRoundPlanned = false;
  for (const [id, job] of jobs) if (job.hasWork) runTurn(id, job);
  if ([...jobs.values()].some((job) => job.hasWork)) planRound();
}

function runTurn(id: number, job: FollowJob): void {
  try {
    const digest = job.turn();
    if (digest === undefined) {
      tell({ kind: 'hashed', job: id, hashedBytes: job.hashedBytes });
      return;
    }
    tell({ kind: 'done', job: id, digest });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ kind: 'failed', job: id, message, errno: errnoOf(error) });
  }
  forget(id);
}

function forget(id: number): void {
  jobs.get(id)?.close();
  jobs.delete(id);
}

port.on('message', (message: ToFollowThread) => {
  switch (message.kind) {
    case 'follow':
      jobs.set(message.job, new FollowJob(message.file, message.sizeBytes));
      return;
    case 'advance':
      jobs.get(message.job)?.advance(message.availableBytes);
      planRound();
      return;
    case 'finish':
      jobs.get(message.job)?.end(message.sizeBytes);
      planRound();
      return;
    case 'abandon':
      forget(message.job);
  }
});
