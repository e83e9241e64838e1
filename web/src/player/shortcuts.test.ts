import { expect, test } from 'vitest';
import { actionOfKey } from './shortcuts.ts';

const bare = { ctrlKey: false, metaKey: false, altKey: false };

test.each([
  [' ', { kind: 'play' }],
  ['k', { kind: 'play' }],
  ['K', { kind: 'play' }],
  ['j', { kind: 'seek', bySec: -10 }],
  ['l', { kind: 'seek', bySec: 10 }],
  ['ArrowLeft', { kind: 'seek', bySec: -5 }],
  ['ArrowRight', { kind: 'seek', bySec: 5 }],
  ['ArrowUp', { kind: 'volume', by: 0.1 }],
  ['f', { kind: 'fullscreen' }],
  ['m', { kind: 'mute' }],
  ['c', { kind: 'captions' }],
  ['?', { kind: 'help' }],
  ['0', { kind: 'jump', to: 0 }],
  ['7', { kind: 'jump', to: 0.7 }],
])('the key %o means %o', (key, action) => {
  expect(actionOfKey({ ...bare, key })).toEqual(action);
});

test.each(['Tab', 'Enter', 'Escape', 'x', 'F5'])('the key %s is left to the browser', (key) => {
  expect(actionOfKey({ ...bare, key })).toBeUndefined();
});

test.each(['ctrlKey', 'metaKey', 'altKey'] as const)('with %s held, keys are left to the browser', (modifier) => {
  expect(actionOfKey({ ...bare, key: 'f', [modifier]: true })).toBeUndefined();
});
