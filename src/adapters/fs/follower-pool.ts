/**
 * Followers in a few worker threads. The calling thread only posts offsets; the threads read the bytes back out of the
 * page cache, so no buffer crosses threads. Invariant: every waiting promise settles: by a result, an error, an abort,
 * the death of a thread, or `close`.
 */
import os from 'node:os';
import { Worker } from 'node:worker_threads';
import { Cancelled, StorageFailed, Unavailable } from '../../base/errors.ts';
import type { AppError } from '../../base/errors.ts';
import type { Sha256, UploadId } from '../../base/ids.ts';
import type { ContentDigest, Follower, FollowerPool } from '../../store/follower.ts';
import { nodeDisk } from './disk.ts';
import type { FromFollowThread, ToFollowThread } from './follow-messages.ts';
import { blobPath, layoutOf, partPath } from './layout.ts';
import type { Layout } from './layout.ts';
import { WorkerFollower } from './worker-follower.ts';

const MAX_THREADS = 4;

export interface WorkerFollowerPoolOptions {
  /** The store's root. */
  readonly root: string;
  /** Default: one per core, at most 4. */
  readonly threads?: number;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, WorkerFollower>;
}

export class WorkerFollowerPool implements FollowerPool {
  readonly #layout: Layout;
  readonly #maxThreads: number;
  readonly #threads = new Set<Thread>();
  #nextJob = 1;
  #isClosed = false;

  constructor(options: WorkerFollowerPoolOptions) {
    this.#layout = layoutOf(options.root);
    this.#maxThreads = options.threads ?? Math.min(MAX_THREADS, os.availableParallelism());
  }

  follow(part: UploadId, sizeBytes: number | undefined): Follower {
    return this.#start(partPath(this.#layout, part), sizeBytes);
  }

  async digest(blob: Sha256, signal: AbortSignal): Promise<ContentDigest | undefined> {
    const file = blobPath(this.#layout, blob);
    const stat = await nodeDisk.stat(file).catch(() => undefined);
    if (stat === undefined) return undefined;
    const follower = this.#start(file, stat.sizeBytes);
    follower.advance(stat.sizeBytes);
    return follower.finish(stat.sizeBytes, signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = [...this.#threads];
    for (const thread of threads) this.#drop(thread, new Cancelled('hashing stops'));
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #start(file: string, sizeBytes: number | undefined): WorkerFollower {
    if (this.#isClosed) throw new Unavailable('hashing has stopped');
    const thread = this.#leastBusy();
    const job = this.#nextJob++;
    const follower = new WorkerFollower({
      tell: (message) => thread.worker.postMessage(message satisfies ToFollowThread),
      forget: () => thread.jobs.delete(job),
      job,
    });
    thread.jobs.set(job, follower);
    thread.worker.postMessage({ kind: 'follow', job, file, sizeBytes } satisfies ToFollowThread);
    return follower;
  }

  #leastBusy(): Thread {
    let best: Thread | undefined;
    for (const thread of this.#threads) if (best === undefined || thread.jobs.size < best.jobs.size) best = thread;
    if (best !== undefined && (best.jobs.size === 0 || this.#threads.size >= this.#maxThreads)) return best;
    return this.#addThread();
  }

  #addThread(): Thread {
    const worker = new Worker(new URL('./follow-thread.ts', import.meta.url), { name: 'hashing' });
    const thread: Thread = { worker, jobs: new Map() };
    worker.on('message', (message: FromFollowThread) => thread.jobs.get(message.job)?.receive(message));
    worker.on('error', (cause) => this.#drop(thread, new StorageFailed('a hashing thread died', {}, { cause })));
    worker.on('exit', () => this.#drop(thread, new StorageFailed('a hashing thread is gone')));
    this.#threads.add(thread);
    return thread;
  }

  #drop(thread: Thread, error: AppError): void {
    this.#threads.delete(thread);
    for (const follower of thread.jobs.values()) follower.fail(error);
  }
}
