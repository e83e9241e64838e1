import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { parseSwarmKey } from '../base/ids.ts';
import { Bitfield } from './bitfield.ts';
import { decodeHandshake, encodeHandshake, type Handshake } from './handshake.ts';
import { createPeerId } from './peer-id.ts';
import * as encode from './wire-encode.ts';
import { MAX_BLOCK_BYTES, MAX_MESSAGE_BYTES, WireReader, type WireListener } from './wire.ts';

/** Writes down what the reader says; blocks are joined, so that any chunking gives the same record. */
class Recorder implements WireListener {
  readonly events: unknown[] = [];
  #block: Uint8Array[] = [];
  handshake(handshake: Handshake): void {
    this.events.push(['handshake', handshake.swarmKey]);
  }
  message(message: unknown): void {
    this.events.push(message);
  }
  request(...request: number[]): void {
    this.events.push(['request', ...request]);
  }
  blockStart(...block: number[]): void {
    this.events.push(['block', ...block]);
    this.#block = [];
  }
  blockBytes(bytes: Uint8Array, isLast: boolean): void {
    this.#block.push(bytes.slice());
    if (isLast) this.events.push(['bytes', toHex(concatBytes(this.#block))]);
  }
}

const swarmKey = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const hello: Handshake = { swarmKey, peerId: createPeerId(), extensions: true, fast: true, dht: false, v2: true };

function read(bytes: Uint8Array, cuts: readonly number[] = []): unknown[] {
  const recorder = new Recorder();
  const reader = new WireReader(recorder);
  let start = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.max(start, Math.min(cut, bytes.length));
    reader.feed(bytes.subarray(start, end));
    start = end;
  }
  return recorder.events;
}

/** A reader behind its handshake. */
function opened(): { reader: WireReader; recorder: Recorder } {
  const recorder = new Recorder();
  const reader = new WireReader(recorder);
  reader.feed(encodeHandshake(hello));
  recorder.events.length = 0;
  return { reader, recorder };
}

const request = { piecesRoot: new Uint8Array(32).fill(7), baseLayer: 4, index: 512, length: 512, proofLayers: 10 };
const hashes = new Uint8Array(32 * 514).fill(9);
const block = { piece: 3, offsetBytes: 16_384, lengthBytes: 16_384 };

function pieceMessage(): Uint8Array {
  const { bytes, bodies } = encode.layOutPieces([block, { piece: 9, offsetBytes: 0, lengthBytes: 1 }]);
  bodies[0]?.fill(0xaa);
  bodies[1]?.fill(0xbb);
  return bytes;
}

/** Everything we can say, and how it is heard. */
const CONVERSATION: readonly (readonly [Uint8Array, unknown[]])[] = [
  [encode.encodeSignal('haveAll'), [{ type: 'have-all' }]],
  [encode.encodeSignal('haveNone'), [{ type: 'have-none' }]],
  [encode.encodeKeepAlive(), [{ type: 'keep-alive' }]],
  [encode.encodeSignal('choke'), [{ type: 'choke' }]],
  [encode.encodeSignal('unchoke'), [{ type: 'unchoke' }]],
  [encode.encodeSignal('interested'), [{ type: 'interested' }]],
  [encode.encodeSignal('notInterested'), [{ type: 'not-interested' }]],
  [encode.encodeHaves([1, 4_000_000_000]), [1, 4_000_000_000].map((piece) => ({ type: 'have', piece }))],
  [encode.encodePieceIndex('suggest', 5), [{ type: 'suggest', piece: 5 }]],
  [encode.encodePieceIndex('allowedFast', 6), [{ type: 'allowed-fast', piece: 6 }]],
  [encode.encodeBitfield(Bitfield.full(9)), [{ type: 'bitfield', bytes: Uint8Array.of(0xff, 0x80) }]],
  [encode.encodeBitfield(new Bitfield(0)), [{ type: 'bitfield', bytes: new Uint8Array(0) }]],
  [
    encode.encodeBlockRefs('request', [block, block]),
    [
      ['request', 3, 16_384, 16_384],
      ['request', 3, 16_384, 16_384],
    ],
  ],
  [encode.encodeBlockRefs('cancel', [block]), [{ type: 'cancel', block }]],
  [encode.encodeBlockRefs('reject', [block]), [{ type: 'reject', block }]],
  [encode.encodePort(6881), [{ type: 'port', port: 6881 }]],
  [encode.encodeExtended(3, utf8('de')), [{ type: 'extended', extensionId: 3, payload: utf8('de') }]],
  [encode.encodeHashRequest('hashRequest', request), [{ type: 'hash-request', request }]],
  [encode.encodeHashRequest('hashReject', request), [{ type: 'hash-reject', request }]],
  [encode.encodeHashes(request, hashes), [{ type: 'hashes', request, hashes }]],
  [
    pieceMessage(),
    [
      ['block', 3, 16_384, 16_384],
      ['bytes', 'aa'.repeat(16_384)],
      ['block', 9, 0, 1],
      ['bytes', 'bb'],
    ],
  ],
];
const STREAM = concatBytes([encodeHandshake(hello), ...CONVERSATION.map(([bytes]) => bytes)]);
const HEARD = [['handshake', swarmKey], ...CONVERSATION.flatMap(([, events]) => events)];

describe('a whole conversation is heard the same', () => {
  test('in one chunk', () => {
    expect(read(STREAM)).toEqual(HEARD);
  });

  test('byte by byte', () => {
    expect(
      read(
        STREAM,
        Array.from({ length: STREAM.length }, (_, at) => at),
      ),
    ).toEqual(HEARD);
  });

  test('in any chunking', () => {
    const cuts = fc.array(fc.nat(STREAM.length), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(cuts, (list) => {
        expect(read(STREAM, list)).toEqual(HEARD);
      }),
      { numRuns: 1_000 },
    );
  });
});

test('block bytes are views of the received chunk, not copies', () => {
  const chunk = pieceMessage();
  const seen: ArrayBufferLike[] = [];
  const spy = new WireReader({
    handshake: () => undefined,
    message: () => undefined,
    request: () => undefined,
    blockStart: () => undefined,
    blockBytes: (bytes) => seen.push(bytes.buffer),
  });
  spy.feed(encodeHandshake(hello));
  spy.feed(chunk);
  expect(seen).toEqual([chunk.buffer, chunk.buffer]);
});

/** A message header that claims `length` bytes for `id`, and nothing behind it. */
function claim(id: number, payloadBytes: number): Uint8Array {
  return concatBytes([fromHex((payloadBytes + 1).toString(16).padStart(8, '0')), Uint8Array.of(id)]);
}

describe('a peer is refused as soon as it claims', () => {
  test.each([
    ['a block of more than 128 KiB', 7, MAX_BLOCK_BYTES + 9],
    ['an empty block', 7, 8],
    ['a message of more than 1 MiB', 20, MAX_MESSAGE_BYTES + 1],
    ['an unknown message of more than 1 MiB', 77, MAX_MESSAGE_BYTES + 1],
    ['a message of 4 GiB', 20, 0xfffffffe],
    ['a bitfield above the limit', 5, 50_001],
    ['a choke with a payload', 0, 1],
    ['a short have', 4, 3],
    ['a long request', 6, 13],
    ['an extended message without an id', 20, 0],
    ['hashes without a request', 22, 47],
    ['more hashes than can be asked for', 22, 100_000],
  ])('%s', (_, id, payloadBytes) => {
    const { reader } = opened();
    expect(() => reader.feed(claim(id, payloadBytes))).toThrow(ProtocolError);
    expect(() => reader.feed(encode.encodeKeepAlive())).toThrow(ProtocolError);
  });

  test.each([
    ['a block of 128 KiB', 7, MAX_BLOCK_BYTES + 8],
    ['an extended message of 1 MiB', 20, MAX_MESSAGE_BYTES],
    ['a bitfield at the limit', 5, 50_000],
  ])('but not %s', (_, id, payloadBytes) => {
    const { reader } = opened();
    expect(() => reader.feed(claim(id, payloadBytes))).not.toThrow();
  });

  test('anything but 19 as its first byte, before the handshake is complete', () => {
    expect(() => read(Uint8Array.of(0x12))).toThrow(ProtocolError);
    expect(() => read(Uint8Array.of(19, 0x42))).not.toThrow();
  });

  test('another protocol', () => {
    const bytes = encodeHandshake(hello);
    bytes[1] = 0x62;
    expect(() => read(bytes)).toThrow(ProtocolError);
  });

  test('a hash request whose numbers are far outside BEP 52', () => {
    for (const bad of [{ length: 0 }, { length: 8_193 }, { baseLayer: 64 }, { proofLayers: 64 }]) {
      const { reader } = opened();
      expect(() => reader.feed(encode.encodeHashRequest('hashRequest', { ...request, ...bad }))).toThrow(ProtocolError);
    }
  });

  test('a bitfield that is not as long as the torrent, once that is known', () => {
    const { reader } = opened();
    reader.maxBitfieldBytes = 2;
    expect(() => reader.feed(encode.encodeBitfield(new Bitfield(17)))).toThrow(ProtocolError);
  });
});

test('messages of the future are skipped', () => {
  const { reader, recorder } = opened();
  reader.feed(concatBytes([claim(77, 5), utf8('12345'), claim(78, 0), encode.encodeSignal('choke')]));
  expect(recorder.events).toEqual([{ type: 'choke' }]);
});

test('a listener can end the reading in the middle of a chunk', () => {
  const recorder = new Recorder();
  const reader = new WireReader({
    handshake: () => reader.end(),
    message: (message) => recorder.message(message),
    request: () => undefined,
    blockStart: () => undefined,
    blockBytes: () => undefined,
  });
  reader.feed(STREAM);
  reader.feed(utf8('nobody listens'));
  expect(recorder.events).toEqual([]);
});

test('noise behind a handshake is heard or refused with ProtocolError', () => {
  const small = fc.tuple(fc.integer({ min: 0, max: 24 }), fc.uint8Array({ maxLength: 70 }));
  const framed = small.map(([id, payload]) => concatBytes([claim(id, payload.length), payload]));
  fc.assert(
    fc.property(fc.array(fc.oneof(framed, fc.uint8Array()), { maxLength: 5 }), (parts) => {
      const { reader } = opened();
      try {
        for (const part of parts) reader.feed(part);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 3_000 },
  );
});

describe('the handshake', () => {
  test('has the bits of BEP 5, 6, 10 and 52 where they belong', () => {
    const bytes = encodeHandshake({ ...hello, dht: true });
    expect(toHex(bytes.subarray(0, 28))).toBe(`13${toHex(utf8('BitTorrent protocol'))}0000000000100015`);
    expect(toHex(bytes.subarray(28, 48))).toBe(swarmKey);
  });

  test('round trips with any combination of bits', () => {
    const bit = fc.boolean();
    fc.assert(
      fc.property(fc.record({ extensions: bit, fast: bit, dht: bit, v2: bit }), (bits) => {
        const handshake = { ...hello, ...bits };
        expect(decodeHandshake(encodeHandshake(handshake))).toEqual(handshake);
      }),
    );
  });
});
