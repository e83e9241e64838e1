import { array, assert, boolean, integer, property, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NodeMseCrypto } from '../adapters/node-crypto/mse-crypto.ts';
import { concatBytes, equalBytes, randomBytes, toHex, utf8, writeUint16 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';
import { MseInitiator, MseResponder, type MseStream } from './mse-handshake.ts';
import {
  maskObfuscatedKey,
  MSE_METHOD,
  mseCiphers,
  obfuscatedKey,
  startMark,
  type MseCrypto,
  type MseMethod,
} from './mse.ts';

const node = new NodeMseCrypto();
const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const HELLO = utf8('what the initiator has to say first');

/** Real arithmetic, padding of a chosen length. */
function withPads(padBytes: number): MseCrypto {
  return {
    createKeyPair: () => node.createKeyPair(),
    sha1: (bytes) => node.sha1(bytes),
    randomBytes: (count) => {
      if (count !== 2) return randomBytes(count);
      const length = new Uint8Array(2);
      writeUint16(length, 0, padBytes);
      return length;
    },
  };
}

interface PairOptions {
  readonly offers?: readonly MseMethod[];
  readonly accepts?: readonly MseMethod[];
  readonly initiatorPad?: number;
  readonly responderPad?: number;
  readonly initialPayload?: Uint8Array;
  /** What the responder knows; default: the swarm asked for. */
  readonly knows?: SwarmKey;
  /** How the responder's lookup ends; default at once. */
  readonly lookup?: 'at once' | 'later';
}

/** Both machines, joined by queues whose bytes are delivered in parts of given sizes. */
class Pair {
  readonly initiator: MseInitiator;
  readonly responder: MseResponder;
  readonly toResponder: Uint8Array[] = [];
  readonly toInitiator: Uint8Array[] = [];
  initiatorOpened: MseStream | undefined;
  responderOpened: MseStream | undefined;
  askedFor: Uint8Array | undefined;

  constructor(options: PairOptions = {}) {
    const knownKey = obfuscatedKey(node, options.knows ?? KEY);
    this.initiator = new MseInitiator(
      {
        crypto: withPads(options.initiatorPad ?? 100),
        swarmKey: KEY,
        offers: options.offers ?? ['plain', 'rc4'],
        initialPayload: options.initialPayload ?? HELLO,
      },
      { send: (bytes) => this.toResponder.push(bytes.slice()), opened: (stream) => (this.initiatorOpened = stream) },
    );
    this.responder = new MseResponder(
      { crypto: withPads(options.responderPad ?? 100), accepts: options.accepts ?? ['plain', 'rc4'] },
      {
        send: (bytes) => this.toInitiator.push(bytes.slice()),
        opened: (stream) => (this.responderOpened = stream),
        find: (digest) => {
          this.askedFor = digest;
          return options.lookup !== 'later' && equalBytes(digest, knownKey) ? KEY : undefined;
        },
      },
    );
    this.initiator.start();
  }

  /** Lets everything flow, cut into parts whose sizes `nextSize` says. */
  run(nextSize: () => number = () => Number.POSITIVE_INFINITY): void {
    while (this.toResponder.length + this.toInitiator.length > 0) {
      for (const part of cut(this.toResponder, nextSize)) this.responder.feed(part);
      for (const part of cut(this.toInitiator, nextSize)) this.initiator.feed(part);
    }
  }
}

function cut(queue: Uint8Array[], nextSize: () => number): Uint8Array[] {
  const bytes = concatBytes(queue.splice(0));
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, nextSize());
    parts.push(bytes.slice(at, at + size));
    at += size;
  }
  return parts;
}

/** What the other end reads of these bytes. */
function across(from: MseStream | undefined, to: MseStream | undefined, text: string): string {
  const bytes = utf8(text);
  from?.ciphers?.outgoing.apply(bytes);
  to?.ciphers?.incoming.apply(bytes);
  return new TextDecoder().decode(bytes);
}

describe('an encrypted handshake', () => {
  test.each([
    { offers: ['plain', 'rc4'], accepts: ['plain', 'rc4'], chosen: 'plain' },
    { offers: ['plain', 'rc4'], accepts: ['rc4'], chosen: 'rc4' },
    { offers: ['rc4'], accepts: ['plain', 'rc4'], chosen: 'rc4' },
    { offers: ['plain'], accepts: ['plain', 'rc4'], chosen: 'plain' },
  ] as const)(
    'offering $offers to a peer that takes $accepts, the stream goes on in $chosen',
    ({ chosen, ...options }) => {
      const pair = new Pair(options);
      pair.run();
      for (const stream of [pair.initiatorOpened, pair.responderOpened]) {
        expect(stream?.swarmKey).toBe(KEY);
        expect(stream?.ciphers === undefined ? 'plain' : 'rc4').toBe(chosen);
      }
      expect(toHex(pair.responderOpened?.early ?? HELLO.subarray(1))).toBe(toHex(HELLO));
      expect(pair.initiatorOpened?.early).toHaveLength(0);
      expect(across(pair.initiatorOpened, pair.responderOpened, 'there')).toBe('there');
      expect(across(pair.responderOpened, pair.initiatorOpened, 'and back')).toBe('and back');
    },
  );

  test('with RC4, what passes is neither what was said nor the same twice', () => {
    const sent = [new Pair({ offers: ['rc4'] }), new Pair({ offers: ['rc4'] })].map((pair) => {
      pair.run();
      const bytes = utf8('in the clear');
      pair.initiatorOpened?.ciphers?.outgoing.apply(bytes);
      return toHex(bytes);
    });
    expect(new Set([...sent, toHex(utf8('in the clear'))]).size).toBe(3);
  });

  test('arrives however the stream is cut, with every padding, and each byte is decrypted once', () => {
    assert(
      property(
        array(integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 }),
        integer({ min: 0, max: 512 }),
        integer({ min: 0, max: 512 }),
        uint8Array({ maxLength: 3_000 }),
        boolean(),
        (sizes, initiatorPad, responderPad, initialPayload, isPlain) => {
          const pair = new Pair({
            initiatorPad,
            responderPad,
            initialPayload,
            offers: isPlain ? ['plain', 'rc4'] : ['rc4'],
          });
          let at = 0;
          pair.run(() => sizes[at++ % sizes.length] ?? 1);
          expect(toHex(pair.responderOpened?.early ?? new Uint8Array(1))).toBe(toHex(initialPayload));
          expect(across(pair.initiatorOpened, pair.responderOpened, 'there')).toBe('there');
          expect(across(pair.responderOpened, pair.initiatorOpened, 'and back')).toBe('and back');
        },
      ),
      { numRuns: 300 },
    );
  });

  test('bytes that follow the handshake in the same packet are part of the stream', () => {
    const pair = new Pair({ offers: ['rc4'], initialPayload: new Uint8Array(0) });
    pair.responder.feed(concatBytes(pair.toResponder.splice(0)));
    pair.initiator.feed(concatBytes(pair.toInitiator.splice(0)));
    pair.responder.feed(concatBytes(pair.toResponder.splice(0)));
    const answer = utf8('already here');
    pair.responderOpened?.ciphers?.outgoing.apply(answer);
    pair.initiator.feed(concatBytes([...pair.toInitiator.splice(0), answer]));
    expect(new TextDecoder().decode(pair.initiatorOpened?.early)).toBe('already here');
  });

  test('waits for a lookup that takes its time, keeping what comes meanwhile', () => {
    const pair = new Pair({ lookup: 'later' });
    pair.run(() => 50);
    expect(toHex(pair.askedFor ?? HELLO)).toBe(toHex(obfuscatedKey(node, KEY)));
    expect(pair.responderOpened).toBeUndefined();
    pair.responder.found(KEY);
    pair.run();
    expect(toHex(pair.responderOpened?.early ?? new Uint8Array(0))).toBe(toHex(HELLO));
    expect(pair.initiatorOpened).toBeDefined();
  });
});

/** An initiator of the test's own, from the second step on: what it sends can be wrong in any way. */
function hostileInitiator(accepts: readonly MseMethod[] = ['plain', 'rc4'], lookup: 'at once' | 'later' = 'at once') {
  const pair = new Pair({ accepts, lookup });
  pair.toResponder.length = 0; // its own first step is not sent
  const keys = node.createKeyPair();
  pair.responder.feed(keys.publicKey);
  const secret = keys.secretWith(concatBytes(pair.toInitiator.splice(0)).subarray(0, 96));
  const ciphers = mseCiphers(node, 'initiator', secret, KEY);
  const encrypted = (...parts: readonly Uint8Array[]): Uint8Array => {
    const bytes = concatBytes(parts);
    ciphers.outgoing.apply(bytes);
    return bytes;
  };
  const mark = concatBytes([startMark(node, secret), maskObfuscatedKey(node, secret, obfuscatedKey(node, KEY))]);
  return { pair, mark, encrypted };
}

const ZERO = new Uint8Array(8);
const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255);
const u32 = (value: number): Uint8Array => Uint8Array.of(0, 0, value >> 8, value & 255);

describe('the responder refuses', () => {
  test('a stream in which the mark does not come within 532 bytes, at the last byte and not before', () => {
    const { pair } = hostileInitiator();
    pair.responder.feed(new Uint8Array(531));
    expect(() => pair.responder.feed(new Uint8Array(1))).toThrow(ProtocolError);
  });

  test('a mark behind 513 bytes of padding; behind 512 it is found', () => {
    const late = hostileInitiator();
    expect(() => late.pair.responder.feed(concatBytes([new Uint8Array(513), late.mark]))).toThrow(ProtocolError);
    const last = hostileInitiator();
    last.pair.responder.feed(concatBytes([new Uint8Array(512), last.mark]));
    expect(last.pair.askedFor).toBeDefined();
  });

  test.each([
    { what: 'nothing it knows', provide: 4, pad: 0, vc: ZERO },
    { what: 'nothing at all', provide: 0, pad: 0, vc: ZERO },
    { what: 'padding of 513 bytes', provide: 3, pad: 513, vc: ZERO },
    { what: 'padding of 65,535 bytes', provide: 3, pad: 65_535, vc: ZERO },
    { what: 'no verification', provide: 3, pad: 0, vc: utf8('12345678') },
  ])('an offer of $what', ({ provide, pad, vc }) => {
    const { pair, mark, encrypted } = hostileInitiator();
    pair.responder.feed(mark);
    expect(() => pair.responder.feed(encrypted(vc, u32(provide), u16(pad)))).toThrow(ProtocolError);
    expect(pair.responderOpened).toBeUndefined();
  });

  test('a plain stream where only RC4 will do', () => {
    const { pair, mark, encrypted } = hostileInitiator(['rc4']);
    pair.responder.feed(mark);
    expect(() => pair.responder.feed(encrypted(ZERO, u32(MSE_METHOD.plain), u16(0)))).toThrow(
      'no encryption in common',
    );
  });

  test('but takes an offer with bits it does not know besides', () => {
    const { pair, mark, encrypted } = hostileInitiator();
    pair.responder.feed(concatBytes([mark, encrypted(ZERO, u32(0xff), u16(0), u16(0))]));
    expect(pair.responderOpened?.ciphers).toBeUndefined();
    expect(pair.responderOpened?.early).toHaveLength(0);
  });

  test('more than the longest handshake while the swarm is looked up', () => {
    const { pair, mark } = hostileInitiator(['plain', 'rc4'], 'later');
    pair.responder.feed(mark);
    for (let sent = 0; sent < 66_000; sent += 1_000) pair.responder.feed(new Uint8Array(1_000));
    expect(() => pair.responder.feed(new Uint8Array(1_000))).toThrow('too much sent ahead');
  });

  test('everything after an error', () => {
    const { pair, mark, encrypted } = hostileInitiator();
    expect(() => pair.responder.feed(new Uint8Array(532))).toThrow(ProtocolError);
    pair.responder.feed(concatBytes([mark, encrypted(ZERO, u32(3), u16(0), u16(0))]));
    expect(pair.responderOpened).toBeUndefined();
    expect(pair.askedFor).toBeUndefined();
  });
});

describe('the initiator refuses', () => {
  /** A responder of the test's own: it has read the initiator's second step and may answer anything. */
  function hostileResponder(offers: readonly MseMethod[] = ['plain', 'rc4']) {
    const pair = new Pair({ offers });
    const theirs = concatBytes(pair.toResponder.splice(0)).subarray(0, 96);
    const keys = node.createKeyPair();
    pair.initiator.feed(keys.publicKey);
    const ciphers = mseCiphers(node, 'responder', keys.secretWith(theirs), KEY);
    const encrypted = (...parts: readonly Uint8Array[]): Uint8Array => {
      const bytes = concatBytes(parts);
      ciphers.outgoing.apply(bytes);
      return bytes;
    };
    return { pair, encrypted };
  }

  test('an answer whose verification does not come within 520 bytes, at the last byte and not before', () => {
    const { pair } = hostileResponder();
    pair.initiator.feed(new Uint8Array(519));
    expect(() => pair.initiator.feed(new Uint8Array(1))).toThrow(ProtocolError);
  });

  test('but finds it behind 512 bytes of padding', () => {
    const { pair, encrypted } = hostileResponder();
    pair.initiator.feed(concatBytes([new Uint8Array(512), encrypted(ZERO, u32(1), u16(0))]));
    expect(pair.initiatorOpened).toBeDefined();
  });

  test.each([
    { what: 'both methods', offers: ['plain', 'rc4'], select: 3, pad: 0 },
    { what: 'neither method', offers: ['plain', 'rc4'], select: 0, pad: 0 },
    { what: 'plain, which was not offered', offers: ['rc4'], select: 1, pad: 0 },
    { what: 'a method nobody knows', offers: ['plain', 'rc4'], select: 8, pad: 0 },
    { what: 'RC4 and padding of 513 bytes', offers: ['plain', 'rc4'], select: 2, pad: 513 },
  ] as const)('the choice of $what', ({ offers, select, pad }) => {
    const { pair, encrypted } = hostileResponder(offers);
    expect(() => pair.initiator.feed(encrypted(ZERO, u32(select), u16(pad)))).toThrow(ProtocolError);
    expect(pair.initiatorOpened).toBeUndefined();
  });
});

test('a peer that does not know the swarm cannot go on', () => {
  const pair = new Pair({ knows: parseSwarmKey('0'.repeat(40)) });
  pair.run();
  expect(pair.responderOpened).toBeUndefined();
  expect(pair.initiatorOpened).toBeUndefined();
});

test('any bytes at all are refused or waited on, never anything else', () => {
  assert(
    property(array(uint8Array({ maxLength: 400 }), { maxLength: 8 }), (chunks) => {
      for (const machine of [new Pair().initiator, new Pair().responder])
        try {
          for (const chunk of chunks) machine.feed(chunk);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
    }),
    { numRuns: 1_000 },
  );
});
