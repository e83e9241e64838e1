import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, toLatin1, utf8 } from '../base/bytes.ts';
import { InvalidInput, ProtocolError } from '../base/errors.ts';
import { encodeBencode } from './bencode.ts';
import * as extension from './extension.ts';

const peer = (host: string, port = 6881): { host: string; port: number } => ({ host, port });

describe('the extended handshake', () => {
  const full: extension.ExtendedHandshake = {
    extensions: { ut_metadata: 1, ut_pex: 2, lt_donthave: 7 },
    client: 'Seedbed 0.1',
    listenPort: 24_244,
    requestQueue: 500,
    metadataBytes: 31_235,
    yourIp: '2001:db8::7',
    uploadOnly: true,
  };

  test('round trips', () => {
    expect(extension.decodeExtendedHandshake(extension.encodeExtendedHandshake(full))).toEqual(full);
    const empty = { extensions: {} };
    expect(extension.decodeExtendedHandshake(extension.encodeExtendedHandshake(empty))).toEqual(empty);
  });

  test('is written as BEP 10 wants', () => {
    const bytes = extension.encodeExtendedHandshake({
      extensions: { ut_metadata: 3 },
      listenPort: 6881,
      yourIp: '1.2.3.4',
    });
    expect(toLatin1(bytes)).toBe('d1:md11:ut_metadatai3ee1:pi6881e6:yourip4:\u0001\u0002\u0003\u0004e');
  });

  test('fields out of range are left out instead of costing the connection', () => {
    const odd = encodeBencode({
      m: { ut_metadata: -1, ut_pex: 256, lt_donthave: 'x', other: 9 },
      metadata_size: 9 << 20,
      p: 0,
      reqq: -1,
      upload_only: 7,
      v: 5,
      yourip: 'abc',
    });
    expect(extension.decodeExtendedHandshake(odd)).toEqual({ extensions: {} });
  });

  test('id 0, which switches an extension off, is told apart from saying nothing', () => {
    const off = encodeBencode({ m: { ut_pex: 0 } });
    expect(extension.decodeExtendedHandshake(off)).toEqual({ extensions: { ut_pex: 0 } });
  });

  test('bytes behind the dictionary are tolerated, as stock clients do', () => {
    expect(extension.decodeExtendedHandshake(utf8('d1:pi9eexx'))).toEqual({ extensions: {}, listenPort: 9 });
  });
});

describe('ut_metadata', () => {
  test.each<[string, extension.MetadataMessage]>([
    ['d8:msg_typei0e5:piecei3ee', { type: 'request', piece: 3 }],
    ['d8:msg_typei2e5:piecei3ee', { type: 'reject', piece: 3 }],
    [
      'd8:msg_typei1e5:piecei1e10:total_sizei16386eexy',
      { type: 'data', piece: 1, totalBytes: 16_386, bytes: utf8('xy') },
    ],
  ])('%s', (text, message) => {
    expect(toLatin1(extension.encodeMetadataMessage(message))).toBe(text);
    expect(extension.decodeMetadataMessage(utf8(text))).toEqual(message);
  });

  test('a message type of the future is ignored', () => {
    expect(extension.decodeMetadataMessage(utf8('d8:msg_typei9e5:piecei3ee'))).toBeUndefined();
  });

  test.each([
    ['no dictionary', 'le'],
    ['no piece', 'd8:msg_typei0ee'],
    ['a negative piece', 'd8:msg_typei0e5:piecei-1ee'],
    ['a piece beyond 8 MiB', 'd8:msg_typei0e5:piecei512ee'],
    ['data without a size', 'd8:msg_typei1e5:piecei0eexy'],
    ['data above 8 MiB', 'd8:msg_typei1e5:piecei0e10:total_sizei8388609eexy'],
    ['a data piece cut short', 'd8:msg_typei1e5:piecei0e10:total_sizei3eexy'],
    ['a data piece too long', 'd8:msg_typei1e5:piecei0e10:total_sizei1eexy'],
    ['a data piece behind the end', 'd8:msg_typei1e5:piecei1e10:total_sizei5ee'],
  ])('%s is refused', (_, text) => {
    expect(() => extension.decodeMetadataMessage(utf8(text))).toThrow(ProtocolError);
  });
});

describe('ut_pex', () => {
  const added = [
    { address: peer('192.0.2.1'), flags: extension.PEX_FLAG.reachable },
    { address: peer('2001:db8::1', 9), flags: extension.PEX_FLAG.uploadOnly | extension.PEX_FLAG.utp },
  ];
  const dropped = [peer('192.0.2.9'), peer('2001:db8::9')];

  test('carries both families and their flags', () => {
    expect(extension.decodePexMessage(extension.encodePexMessage({ added, dropped }))).toEqual({ added, dropped });
  });

  test('more than 50 peers are neither sent nor taken', () => {
    const many = Array.from({ length: 51 }, (_, at) => peer(`192.0.2.${at}`));
    expect(() => extension.encodePexMessage({ added: [], dropped: many })).toThrow(InvalidInput);
    const flood = encodeBencode({ added: new Uint8Array(6 * 1_000).fill(1) });
    expect(extension.decodePexMessage(flood).added).toHaveLength(50);
  });

  test('missing flags are no flags, and a list cut short is refused', () => {
    expect(extension.decodePexMessage(encodeBencode({ added: new Uint8Array(6).fill(1) })).added).toEqual([
      { address: peer('1.1.1.1', 257), flags: 0 },
    ]);
    expect(() => extension.decodePexMessage(encodeBencode({ added: new Uint8Array(7) }))).toThrow(ProtocolError);
  });
});

test('lt_donthave names one piece', () => {
  expect(extension.decodeDontHave(extension.encodeDontHave(70_000))).toBe(70_000);
  expect(() => extension.decodeDontHave(new Uint8Array(3))).toThrow(ProtocolError);
});

test('noise in any extension message is read or refused with ProtocolError', () => {
  const key = fc.constantFrom(
    'm',
    'p',
    'v',
    'msg_type',
    'piece',
    'total_size',
    'added',
    'added.f',
    'dropped6',
    'yourip',
  );
  const value = fc.oneof(fc.integer(), fc.uint8Array({ maxLength: 40 }), fc.constant({}), fc.constant([]));
  const structured = fc
    .tuple(fc.dictionary(key, value, { noNullPrototype: true }), fc.uint8Array({ maxLength: 20 }))
    .map(([dict, tail]) => concatBytes([encodeBencode(dict), tail]));
  const decoders = fc.constantFrom<(payload: Uint8Array) => unknown>(
    extension.decodeExtendedHandshake,
    extension.decodeMetadataMessage,
    extension.decodePexMessage,
    extension.decodeDontHave,
  );
  fc.assert(
    fc.property(fc.oneof(structured, fc.uint8Array()), decoders, (payload, decode) => {
      try {
        decode(payload);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 4_000 },
  );
});
