import { expect, test } from 'vitest';
import { nextRate } from './rate-button.tsx';

test('the speeds go round, and an unusual one goes back to normal', () => {
  expect([1, 1.25, 1.5, 2, 0.75, 3].map(nextRate)).toEqual([1.25, 1.5, 2, 0.75, 1, 1]);
});
