import { expect, test } from 'vitest';
import { isShownInline, servedType } from './content-type.ts';

test.each(['video/mp4', 'audio/ogg', 'image/png', 'image/webp', 'video/mp4; codecs=avc1'])(
  '%s is shown inline',
  (type) => {
    expect(servedType(type)).toBe(type);
    expect(isShownInline(type)).toBe(true);
  },
);

test.each([
  'text/html',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/xml',
  'application/xml',
  'application/pdf',
  'text/plain',
  'multipart/related',
  'application/octet-stream',
])('%s is true to its type but only ever downloaded', (type) => {
  expect(servedType(type)).toBe(type);
  expect(isShownInline(type)).toBe(false);
});

test.each([
  'text/javascript',
  'application/javascript',
  'application/x-javascript',
  'application/ecmascript',
  'text/jscript',
  'text/css',
  'application/wasm',
  'application/manifest+json',
  'video/mp4\r\nX: y',
  'video',
  '',
  'TEXT/JAVASCRIPT',
])('%j cannot be loaded as code: it is sent as plain bytes', (type) => {
  expect(servedType(type)).toBe('application/octet-stream');
});
