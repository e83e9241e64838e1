import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { contentDisposition, fileName } from './disposition.ts';

test.each([
  ['clip.mp4', 'inline; filename="clip.mp4"'],
  ['my clip (1).mp4', 'inline; filename="my clip (1).mp4"'],
  ['Größe.mp4', `inline; filename="Gr__e.mp4"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.mp4`],
  ['say "hi" 100%.txt', `inline; filename="say _hi_ 100_.txt"; filename*=UTF-8''say%20%22hi%22%20100%25.txt`],
  ["it's (a) *.txt", `inline; filename="it's (a) *.txt"`],
  ["ü'(*)", `inline; filename="_'(*)"; filename*=UTF-8''%C3%BC%27%28%2A%29`],
  ['../../etc/passwd', 'inline; filename=".._.._etc_passwd"'],
  ['a\r\nSet-Cookie: x=1', 'inline; filename="aSet-Cookie: x=1"'],
  ['exe.\u202egpj.exe', 'inline; filename="exe.gpj.exe"'],
  ['', 'inline; filename="blob"'],
  ['..', 'inline; filename="blob"'],
  ['\ud800.mp4', 'inline; filename="_.mp4"'],
])('the name %j is offered as %s', (name, header) => {
  expect(contentDisposition('inline', name, 'blob')).toBe(header);
});

test('a long name is cut at a character and keeps its extension', () => {
  const name = fileName(`${'日'.repeat(300)}.webm`, 'blob');
  expect(name).toMatch(/^日+\.webm$/);
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
});

test('no name can break out of the header', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const header = contentDisposition('attachment', name, 'blob');
      expect(header).toMatch(/^attachment; filename="[\x20\x21\x23-\x7e]+"(; filename\*=UTF-8''[A-Za-z0-9!~%._-]+)?$/);
    }),
  );
});
