import { expect, test } from 'vitest';
import { Conflict, InvalidInput, NoSpace, StorageFailed } from './errors.ts';

test.each([
  { name: 'Conflict', Kind: Conflict },
  { name: 'InvalidInput', Kind: InvalidInput },
  { name: 'NoSpace', Kind: NoSpace },
  { name: 'StorageFailed', Kind: StorageFailed },
])('$name says its name, whatever a bundler makes of the class', ({ name, Kind }) => {
  Object.defineProperty(Kind, 'name', { value: 'r' });
  const error = new Kind('what happened', { sizeBytes: 3 });
  expect([error.name, error.toString(), error.facts]).toEqual([name, `${name}: what happened`, { sizeBytes: 3 }]);
});
