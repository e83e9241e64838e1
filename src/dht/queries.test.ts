import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { KrpcAnswer } from '../codec/krpc.ts';
import { Queries } from './queries.ts';

const TO = { host: '20.0.0.1', port: 6_881 };

/** What is said to a question that got through. */
function answerTo(transactionId: Uint8Array | undefined): KrpcAnswer {
  return {
    kind: 'answer',
    transactionId: transactionId ?? new Uint8Array(4),
    senderId: new Uint8Array(20),
    contacts: [],
    peers: [],
    token: undefined,
  };
}

test('256 questions are under way at most: one more is not sent until there is room again', async () => {
  const queries = new Queries(new FakeClock());
  const sent: Uint8Array[] = [];
  const ask = (): Promise<KrpcAnswer | undefined> => queries.ask(TO, (transactionId) => sent.push(transactionId));
  const [first] = Array.from({ length: 256 }, () => ask());
  expect(await ask()).toBeUndefined();
  expect(sent).toHaveLength(256);
  queries.received(answerTo(sent[0]), TO);
  expect(await first).toBeDefined();
  void ask();
  expect(sent).toHaveLength(257);
  queries.stop();
});

test('a question that nobody answers makes room after three seconds', async () => {
  const clock = new FakeClock();
  const queries = new Queries(clock);
  const asking = Array.from({ length: 256 }, () => queries.ask(TO, () => undefined));
  clock.advance(3_000);
  expect(await Promise.all(asking)).toEqual(Array.from({ length: 256 }, () => undefined));
  let isSent = false;
  void queries.ask(TO, () => (isSent = true));
  expect(isSent).toBe(true);
  queries.stop();
  expect(clock.pending).toBe(0);
});
