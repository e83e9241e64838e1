import { expect, test } from 'vitest';
import { addPoint, HISTORY_POINTS, sparkPaths, type SpeedPoint } from './sparkline.ts';

const point = (fromPeers: number, fromHttp: number): SpeedPoint => ({ fromPeers, fromHttp });

test('the history is a minute long, however long the page is open', () => {
  let history: readonly SpeedPoint[] = [];
  for (let second = 0; second < 500; second++) history = addPoint(history, point(second, 0));
  expect(history).toHaveLength(HISTORY_POINTS);
  expect(history.at(-1)).toEqual(point(499, 0));
});

test('one reading is no line yet', () => {
  expect(sparkPaths([point(1, 1)], 59, 10)).toEqual({ peers: '', http: '' });
});

test('the newest reading is at the right, the server is stacked on the peers, the highest sum touches the top', () => {
  expect(sparkPaths([point(0, 0), point(5, 5)], 59, 10)).toEqual({
    peers: 'M58 10L59 5L59 10L58 10Z',
    http: 'M58 10L59 0L59 5L58 10Z',
  });
});
