import { describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { reconnectPauseMs, TrackerSocket } from './tracker-socket.ts';

class TestSocket extends EventTarget {
  isClosed = false;
  readonly sent: string[] = [];

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
    this.dispatchEvent(new Event('close'));
  }
}

function setUp(): { tracker: TrackerSocket; clock: FakeClock; sockets: TestSocket[]; heard: string[] } {
  const clock = new FakeClock();
  const sockets: TestSocket[] = [];
  const heard: string[] = [];
  const tracker = new TrackerSocket({
    clock,
    log: silentLog,
    random: () => 0.5,
    connect: () => {
      const socket = new TestSocket();
      sockets.push(socket);
      return socket;
    },
    opened: () => heard.push('opened'),
    received: (message) => heard.push(message.type),
    changed: () => undefined,
  });
  return { tracker, clock, sockets, heard };
}

describe('the connection to the tracker', () => {
  test('is not opened before it is wanted', async () => {
    const { clock, sockets, tracker } = setUp();
    await clock.advanceAsync(600_000);
    expect([sockets.length, tracker.state]).toEqual([0, 'off']);
  });

  test('comes back after it was lost, in growing pauses while it fails', async () => {
    const { tracker, clock, sockets, heard } = setUp();
    tracker.start();
    sockets[0]?.dispatchEvent(new Event('open'));
    sockets[0]?.close();
    const attemptsAtMs: number[] = [];
    for (let second = 1; second <= 20; second++) {
      const before = sockets.length;
      await clock.advanceAsync(1_000);
      if (sockets.length > before) attemptsAtMs.push(second);
      sockets.at(-1)?.close();
    }
    expect(attemptsAtMs).toEqual([1, 3, 7, 15]);
    expect(heard).toEqual(['opened']);
  });

  test('that hangs is given up after 10 s and tried again', async () => {
    const { tracker, clock, sockets } = setUp();
    tracker.start();
    await clock.advanceAsync(10_000);
    expect(sockets[0]?.isClosed).toBe(true);
    await clock.advanceAsync(1_000);
    expect(sockets).toHaveLength(2);
  });

  test('once stopped, opens no socket any more', async () => {
    const { tracker, clock, sockets } = setUp();
    tracker.start();
    sockets[0]?.dispatchEvent(new Event('open'));
    tracker.stop();
    await clock.advanceAsync(600_000);
    expect([sockets.length, sockets[0]?.isClosed, tracker.state, clock.pending]).toEqual([1, true, 'off', 0]);
  });

  test('survives whatever the tracker sends', () => {
    const { tracker, sockets, heard } = setUp();
    tracker.start();
    const hear = (data: unknown): unknown => sockets[0]?.dispatchEvent(new MessageEvent('message', { data }));
    for (const frame of ['', 'null', '{"action":"announce"}', '{"action":"dance"}', '[]', new ArrayBuffer(3)])
      hear(frame);
    const key = 'x'.repeat(20);
    hear(JSON.stringify({ action: 'announce', info_hash: key, interval: 60, complete: 1, incomplete: 0 }));
    expect(heard).toEqual(['announced']);
  });
});

test('pauses double from one second to one minute, with a quarter of chance either way', () => {
  expect([0, 1, 5, 6, 40].map((failures) => reconnectPauseMs(failures, 0.5))).toEqual([
    1_000, 2_000, 32_000, 60_000, 60_000,
  ]);
  expect([reconnectPauseMs(0, 0), reconnectPauseMs(0, 1)]).toEqual([750, 1_250]);
});
