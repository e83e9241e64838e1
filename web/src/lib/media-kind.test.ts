import { expect, test } from 'vitest';
import { kindOf } from './media-kind.ts';

test.each([
  ['video/mp4', 'video'],
  ['video/x-matroska', 'video'],
  ['Audio/FLAC', 'audio'],
  ['application/ogg', 'audio'],
  ['image/webp', 'image'],
  ['image/svg+xml', 'document'],
  ['image/tiff', 'other'],
  ['application/pdf', 'document'],
  ['text/html; charset=utf-8', 'document'],
  ['application/zip', 'archive'],
  ['application/gzip', 'archive'],
  ['application/octet-stream', 'other'],
  ['', 'other'],
])('%s is shown as %s', (type, kind) => {
  expect(kindOf(type)).toBe(kind);
});
