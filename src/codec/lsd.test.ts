import { assert, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseSwarmKey } from '../base/ids.ts';
import { decodeLsd, encodeLsd } from './lsd.ts';

const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const OTHER = parseSwarmKey('f'.repeat(40));

test('a local announce looks as BEP 14 wants, and is read again', () => {
  const announce = { port: 6_881, swarmKeys: [KEY, OTHER], cookie: 'name' };
  const bytes = encodeLsd('239.192.152.143:6771', announce);
  expect(Buffer.from(bytes).toString()).toBe(
    `BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: ${KEY}\r\nInfohash: ${OTHER}\r\ncookie: name\r\n\r\n\r\n`,
  );
  expect(decodeLsd(bytes)).toEqual(announce);
});

test('spelling of headers, capital hashes and headers of others make no difference', () => {
  const text = `BT-SEARCH * HTTP/1.1\r\nX-Other: 1\r\nport:6881\r\nINFOHASH: ${KEY.toUpperCase()}\r\n\r\n\r\n`;
  expect(decodeLsd(utf8(text))).toEqual({ port: 6_881, swarmKeys: [KEY] });
});

test.each([
  ['', 'nothing'],
  [`GET / HTTP/1.1\r\nPort: 1\r\nInfohash: ${KEY}\r\n\r\n`, 'another request'],
  [`BT-SEARCH * HTTP/1.1\r\nInfohash: ${KEY}\r\n\r\n`, 'no port'],
  [`BT-SEARCH * HTTP/1.1\r\nPort: 70000\r\nInfohash: ${KEY}\r\n\r\n`, 'no such port'],
  ['BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n', 'no torrent'],
  ['BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: abc\r\n\r\n', 'half a hash'],
  [`BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: ${KEY}\r\n${'X: y\r\n'.repeat(300)}`, 'too long'],
])('%j is refused: %s', (text) => {
  expect(() => decodeLsd(utf8(text))).toThrow(AppError);
});

test('whatever comes is read or refused, never worse', () => {
  const start = utf8('BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: ');
  assert(
    property(uint8Array({ maxLength: 200 }), (rest) => {
      try {
        decodeLsd(new Uint8Array([...start, ...rest]));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }),
    { numRuns: 10_000 },
  );
});
