/**
 * The calling side of the writer thread. Units wait in a bounded queue while a group is being synced, then go together:
 * under load one sync carries many units. Invariants: at most one group is under way; after an I/O error nothing is
 * written until a restart.
 */
import { Worker } from 'node:worker_threads';
import { StorageFailed, Unavailable } from '../../base/errors.ts';
import type { AppError } from '../../base/errors.ts';
import { WriteRefused } from '../../store/rows.ts';
import type { StepResult } from '../../store/rows.ts';
import { errorOf } from './failures.ts';
import type { Outcome, Unit } from './group-commit.ts';
import type { FromWriter, ToWriter, WriterSetup } from './messages.ts';

interface Waiting {
  readonly unit: Unit;
  resolve(results: readonly StepResult[]): void;
  reject(error: AppError): void;
}

/** Beyond it `write` answers Unavailable: whoever sends more than a disk can sync must slow down. */
export const MAX_WAITING_UNITS = 8_192;
const MAX_GROUP_UNITS = 512;

export class Writer {
  readonly #worker: Worker;
  readonly #exited = Promise.withResolvers<void>();
  #waiting: Waiting[] = [];
  #underWay: readonly Waiting[] = [];
  /** Why nothing can be written any more. */
  #ended: AppError | undefined;
  #closing: Promise<void> | undefined;
  /** Resolves when nothing waits any more; made by `close`. */
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(setup: WriterSetup) {
    this.#worker = new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData: setup, name: 'database' });
    this.#worker.on('message', (message: FromWriter) => this.#settle(message.outcomes));
    this.#worker.on('error', (cause) => this.#end(new StorageFailed('the database writer died', {}, { cause })));
    this.#worker.on('exit', () => {
      this.#end(new StorageFailed('the database writer is gone'));
      this.#exited.resolve();
    });
  }

  /** @throws WriteRefused, NoSpace, StorageFailed, Unavailable */
  write(unit: Unit): Promise<readonly StepResult[]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#closing !== undefined) return Promise.reject(new Unavailable('the database is closing'));
    if (this.#waiting.length >= MAX_WAITING_UNITS) {
      return Promise.reject(new Unavailable('too many changes wait for the disk', { waiting: MAX_WAITING_UNITS }));
    }
    const { promise, resolve, reject } = Promise.withResolvers<readonly StepResult[]>();
    this.#waiting.push({ unit, resolve, reject });
    this.#pump();
    return promise;
  }

  /** Writes what waits, checkpoints, ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay.length > 0) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    this.#post({ kind: 'close' });
    await this.#exited.promise;
  }

  #pump(): void {
    if (this.#underWay.length > 0) return;
    if (this.#waiting.length === 0) {
      this.#idle?.resolve();
      return;
    }
    this.#underWay = this.#waiting.slice(0, MAX_GROUP_UNITS);
    this.#waiting = this.#waiting.slice(MAX_GROUP_UNITS);
    this.#post({ kind: 'group', units: this.#underWay.map((waiting) => waiting.unit) });
  }

  #post(message: ToWriter): void {
    this.#worker.postMessage(message);
  }

  #settle(outcomes: readonly Outcome[]): void {
    const settled = this.#underWay;
    this.#underWay = [];
    for (const [index, waiting] of settled.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) waiting.reject(new StorageFailed('the database writer gave no answer'));
      else this.#answer(waiting, outcome);
    }
    this.#pump();
  }

  #answer(waiting: Waiting, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'written':
        waiting.resolve(outcome.results);
        return;
      case 'refused':
        waiting.reject(new WriteRefused(outcome.step));
        return;
      case 'failed': {
        const error = errorOf(outcome.failure);
        waiting.reject(error);
        if (outcome.failure.kind === 'broken') this.#end(error);
      }
    }
  }

  #end(error: AppError): void {
    this.#ended ??= error;
    const lost = [...this.#underWay, ...this.#waiting];
    this.#underWay = [];
    this.#waiting = [];
    for (const waiting of lost) waiting.reject(error);
    this.#idle?.resolve();
  }
}
