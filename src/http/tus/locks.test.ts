import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Conflict } from '../../base/errors.ts';
import { STALLED_AFTER_MS, UploadLocks, type Holder } from './locks.ts';

class Sender implements Holder {
  isInterrupted = false;
  readonly isForceful: boolean;
  stalledForMs = 0;

  constructor({ isForceful = false }: { isForceful?: boolean } = {}) {
    this.isForceful = isForceful;
  }

  waitingMs(): number {
    return this.stalledForMs;
  }

  interrupt(): void {
    this.isInterrupted = true;
  }
}

test('an upload has one sender at a time, and the next when that one is done', async () => {
  const locks = new UploadLocks(new FakeClock());
  const [first, second] = [new Sender(), new Sender()];
  await locks.take('a', first);
  await locks.take('b', second);
  await expect(locks.take('a', second)).rejects.toThrow(Conflict);
  expect(first.isInterrupted).toBe(false);
  locks.give('a', first);
  await locks.take('a', second);
});

test('a stalled sender gives way, once its bytes are recorded', async () => {
  const locks = new UploadLocks(new FakeClock());
  const [stalled, successor] = [new Sender(), new Sender()];
  await locks.take('a', stalled);
  stalled.stalledForMs = STALLED_AFTER_MS;
  let hasTaken = false;
  const taking = locks.take('a', successor).then(() => (hasTaken = true));
  await Promise.resolve();
  expect([stalled.isInterrupted, hasTaken]).toEqual([true, false]);
  locks.give('a', stalled);
  await taking;
});

test('a sender that stalls but never lets go is not robbed: the successor is told to try again', async () => {
  const clock = new FakeClock();
  const locks = new UploadLocks(clock);
  const stuck = new Sender();
  stuck.stalledForMs = STALLED_AFTER_MS;
  await locks.take('a', stuck);
  const taking = expect(locks.take('a', new Sender())).rejects.toThrow(Conflict);
  await clock.advanceAsync(10_000);
  await taking;
  expect(clock.pending).toBe(0);
});

test('of two successors of a stalled sender one gets the upload', async () => {
  const locks = new UploadLocks(new FakeClock());
  const stalled = new Sender();
  stalled.stalledForMs = STALLED_AFTER_MS;
  await locks.take('a', stalled);
  const outcomes = Promise.allSettled([locks.take('a', new Sender()), locks.take('a', new Sender())]);
  await Promise.resolve();
  locks.give('a', stalled);
  expect((await outcomes).map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('the owner who cancels interrupts even a healthy sender', async () => {
  const locks = new UploadLocks(new FakeClock());
  const healthy = new Sender();
  await locks.take('a', healthy);
  const taking = locks.take('a', new Sender({ isForceful: true }));
  expect(healthy.isInterrupted).toBe(true);
  locks.give('a', healthy);
  await taking;
});

test('asking for the offset settles a stalled sender and leaves a healthy one alone', async () => {
  const locks = new UploadLocks(new FakeClock());
  const sender = new Sender();
  await locks.take('a', sender);
  await locks.settle('a');
  expect(sender.isInterrupted).toBe(false);
  sender.stalledForMs = STALLED_AFTER_MS;
  const settling = locks.settle('a');
  locks.give('a', sender);
  await settling;
  expect(sender.isInterrupted).toBe(true);
});

test('who was replaced cannot give away what the successor holds', async () => {
  const locks = new UploadLocks(new FakeClock());
  const [first, second] = [new Sender(), new Sender()];
  await locks.take('a', first);
  locks.give('a', first);
  await locks.take('a', second);
  locks.give('a', first);
  await expect(locks.take('a', new Sender())).rejects.toThrow(Conflict);
});
