import { array, assert, property, uint8Array, constantFrom, integer, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromLatin1, utf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseSwarmKey } from '../base/ids.ts';
import { decodeKrpc, encodeKrpc, type KrpcMessage } from './krpc.ts';

const ID = utf8('abcdefghij0123456789');
const TARGET = utf8('mnopqrstuvwxyz123456');
const KEY = parseSwarmKey('6d6e6f707172737475767778797a313233343536');
const HEAD = { transactionId: utf8('aa') };
const ASKS = { ...HEAD, kind: 'query', senderId: ID, isReadOnly: false } as const;
const SAYS = { ...HEAD, kind: 'answer', senderId: ID, contacts: [], peers: [], token: undefined } as const;

describe('DHT packets', () => {
  // The examples of BEP 5.
  test.each<[string, KrpcMessage]>([
    ['d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe', { ...ASKS, question: { method: 'ping' } }],
    ['d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re', SAYS],
    [
      'd1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'find_node', target: TARGET } },
    ],
    [
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'get_peers', swarmKey: KEY } },
    ],
    [
      'd1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re',
      {
        ...SAYS,
        token: utf8('aoeusnth'),
        peers: [
          { host: '97.120.106.101', port: 11_893 },
          { host: '105.100.104.116', port: 28_269 },
        ],
      },
    ],
    [
      'd1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'announce_peer', swarmKey: KEY, port: undefined, token: utf8('aoeusnth') } },
    ],
    [
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'announce_peer', swarmKey: KEY, port: 6_881, token: utf8('aoeusnth') } },
    ],
    [
      'd1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee',
      { ...HEAD, kind: 'error', code: 201, reason: 'A Generic Error Ocurred' },
    ],
    [
      'd1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe',
      { ...ASKS, isReadOnly: true, question: { method: 'ping' } },
    ],
    // BEP 32 and BEP 42.
    [
      'd1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:find_node1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'find_node', target: TARGET, want: ['v4', 'v6'] } },
    ],
    [
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:wantl2:n6ee1:q9:get_peers1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'get_peers', swarmKey: KEY, want: ['v6'] } },
    ],
    [
      'd2:ip6:axje.u1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re',
      { ...SAYS, observed: { host: '97.120.106.101', port: 11_893 } },
    ],
    [
      'd1:eli201e4:Oopse2:ip6:axje.u1:t2:aa1:y1:ee',
      { ...HEAD, kind: 'error', code: 201, reason: 'Oops', observed: { host: '97.120.106.101', port: 11_893 } },
    ],
  ])('%s is read and written', (text, message) => {
    expect(decodeKrpc(utf8(text))).toEqual(message);
    expect(Buffer.from(encodeKrpc(message)).toString()).toBe(text);
  });

  test('carry contacts of both families (BEP 32)', () => {
    const contacts = [
      { id: ID, address: { host: '93.184.215.14', port: 6_881 } },
      { id: TARGET, address: { host: '2606:4700::1', port: 6_882 } },
    ];
    expect(decodeKrpc(encodeKrpc({ ...SAYS, contacts }))).toEqual({ ...SAYS, contacts });
  });

  test.each([
    ['d2:ip5:axje.1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re', SAYS],
    ['d2:ipi7e1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re', SAYS],
    [
      'd1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantli4e2:n92:n6ee1:q9:find_node1:t2:aa1:y1:qe',
      { ...ASKS, question: { method: 'find_node', target: TARGET, want: ['v6'] } },
    ],
  ])('%s: what nobody understands in it was not said', (text, message) => {
    expect(decodeKrpc(utf8(text))).toEqual(message);
  });

  test('with a method nobody knows are nothing to answer', () => {
    expect(decodeKrpc(utf8('d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe'))).toBeUndefined();
  });

  test.each([
    'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti0e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe',
    'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti70000e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe',
    'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti1ee1:q13:announce_peer1:t2:aa1:y1:qe',
    'd1:ad2:id20:abcdefghij01234567895:tokenli1eee1:q4:ping1:ti1e1:y1:qe',
    'd1:ad2:id20:abcdefghij01234567896:target3:abce1:q9:find_node1:t2:aa1:y1:qe',
    'd1:rd2:id20:abcdefghij01234567895:nodes27:aaaaaaaaaaaaaaaaaaaaaaaaaaae1:t2:aa1:y1:re',
    'd1:rd5:nodes0:e1:t2:aa1:y1:re',
    'd1:t17:aaaaaaaaaaaaaaaaa1:y1:qe',
    'd1:t0:1:y1:qe',
  ])('such as %s are refused', (text) => {
    expect(() => decodeKrpc(utf8(text))).toThrow(AppError);
  });

  test('however they are broken, are read or refused, never worse', { timeout: 60_000 }, () => {
    const good = fromLatin1(
      'd1:rd2:id20:abcdefghij01234567895:nodes26:aaaaaaaaaaaaaaaaaaaaaaaaaa5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re',
    );
    const edit = tuple(integer({ min: 0, max: good.length - 1 }), integer({ min: 0, max: 255 }));
    const broken = array(edit, { maxLength: 6 }).map((edits) => {
      const bytes = good.slice();
      for (const [at, value] of edits) bytes[at] = value;
      return bytes;
    });
    const pieces = constantFrom(
      'd',
      'l',
      'e',
      'i1e',
      '1:a',
      '1:q',
      '1:r',
      '1:t2:aa',
      '1:y1:q',
      '2:id20:abcdefghij0123456789',
      '5:token',
      '4:ping',
      '6:values',
    );
    const jumbled = array(pieces, { maxLength: 20 }).map((parts) => utf8(parts.join('')));
    for (const input of [broken, jumbled, uint8Array({ maxLength: 200 })])
      assert(
        property(input, (bytes) => {
          try {
            decodeKrpc(bytes);
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
          }
        }),
        { numRuns: 3_500 },
      );
  });
});
