import { expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import { RequestPipeline, type SentRequest } from './pipeline.ts';

interface Link {
  readonly bytesPerMs: number;
  readonly delayMs: number;
}

/** Runs a closed loop over a link: keeps the window full, one FIFO, and returns what was delivered per ms at the end. */
function run(pipeline: RequestPipeline, link: Link, durationMs: number, interactive: boolean, startMs = 0) {
  const queue: { request: SentRequest; arrivesAtMs: number }[] = [];
  let linkFreeAtMs = startMs;
  let delivered = 0;
  let longestQueueMs = 0;
  for (let nowMs = startMs; nowMs < startMs + durationMs; nowMs++) {
    for (let head = queue[0]; head !== undefined && head.arrivesAtMs <= nowMs; head = queue[0]) {
      queue.shift();
      pipeline.delivered(BLOCK_BYTES, head.request, head.arrivesAtMs);
      if (nowMs > startMs + durationMs / 2) delivered += BLOCK_BYTES;
    }
    while (queue.length < pipeline.windowBlocks(interactive)) {
      const request = pipeline.sent(queue.length + 1, nowMs);
      linkFreeAtMs = Math.max(linkFreeAtMs, nowMs) + BLOCK_BYTES / link.bytesPerMs;
      queue.push({ request, arrivesAtMs: linkFreeAtMs + link.delayMs });
    }
    if (nowMs > startMs + durationMs / 2) longestQueueMs = Math.max(longestQueueMs, linkFreeAtMs - nowMs);
  }
  return { bytesPerMs: delivered / (durationMs / 2), longestQueueMs };
}

const LINKS: readonly Link[] = [
  { bytesPerMs: 100, delayMs: 10 },
  { bytesPerMs: 1_000, delayMs: 50 },
  { bytesPerMs: 1_000, delayMs: 300 },
  { bytesPerMs: 12_500, delayMs: 20 },
];

test.each(LINKS)('a link of $bytesPerMs bytes/ms and $delayMs ms is used to nine tenths', (link) => {
  expect(run(new RequestPipeline(0), link, 10_000, false).bytesPerMs).toBeGreaterThan(0.9 * link.bytesPerMs);
  expect(run(new RequestPipeline(0), link, 10_000, true).bytesPerMs).toBeGreaterThan(0.8 * link.bytesPerMs);
});

test.each(LINKS.slice(1))(
  'for a reader the queue at $bytesPerMs bytes/ms and $delayMs ms stays below two delays and a little',
  (link) => {
    const { longestQueueMs } = run(new RequestPipeline(0), link, 10_000, true);
    expect(longestQueueMs).toBeLessThan(2 * link.delayMs + 120);
  },
);

test('over minutes the queue does not creep up by taking its own length for distance', () => {
  const pipeline = new RequestPipeline(0);
  const link = { bytesPerMs: 1_000, delayMs: 40 };
  const early = run(pipeline, link, 5_000, true);
  const late = run(pipeline, link, 180_000, true, 5_000);
  expect(late.longestQueueMs).toBeLessThan(early.longestQueueMs * 1.5);
});

test('when the delay grows for good, the link is filled again within half a minute', () => {
  const pipeline = new RequestPipeline(0);
  run(pipeline, { bytesPerMs: 1_000, delayMs: 20 }, 5_000, true);
  run(pipeline, { bytesPerMs: 1_000, delayMs: 300 }, 30_000, true, 5_000);
  const after = run(pipeline, { bytesPerMs: 1_000, delayMs: 300 }, 10_000, true, 35_000);
  expect(after.bytesPerMs).toBeGreaterThan(700);
});

test('the late answer to a request taken back does not make the source seem near', () => {
  const pipeline = new RequestPipeline(0);
  const link = { bytesPerMs: 1_000, delayMs: 40 };
  run(pipeline, link, 5_000, true);
  const known = pipeline.delayMs;
  pipeline.delivered(BLOCK_BYTES, pipeline.sent(2, 5_000), 5_001, true);
  expect(pipeline.delayMs).toBe(known);
  pipeline.delivered(BLOCK_BYTES, pipeline.sent(2, 5_002), 5_003);
  expect(pipeline.delayMs).toBe(1);
});

test('a source is held to what it did before it fell silent, however long the silence', () => {
  const pipeline = new RequestPipeline(0);
  pipeline.delivered(BLOCK_BYTES, pipeline.sent(1, 0), 100);
  pipeline.sent(1, 100);
  const promisedMs = pipeline.promisedBlockMs;
  for (let atMs = 200; atMs <= 8_000; atMs += 100) pipeline.waited(atMs);
  expect(pipeline.promisedBlockMs).toBe(promisedMs);
  expect(BLOCK_BYTES / pipeline.bytesPerMs).toBeGreaterThan(20 * promisedMs);
  pipeline.delivered(BLOCK_BYTES, pipeline.sent(2, 8_000), 8_050);
  expect(pipeline.promisedBlockMs).toBeGreaterThan(20 * promisedMs);
});

test('nothing measured yet: eight blocks', () => {
  expect(new RequestPipeline(0).windowBlocks(true)).toBe(8);
});

test('the window never exceeds 512 blocks nor falls below 4', () => {
  const fast = new RequestPipeline(0);
  run(fast, { bytesPerMs: 1_000_000, delayMs: 500 }, 5_000, false);
  expect(fast.windowBlocks(false)).toBe(512);
  const slow = new RequestPipeline(0);
  run(slow, { bytesPerMs: 5, delayMs: 1 }, 60_000, true);
  expect(slow.windowBlocks(true)).toBe(4);
});
