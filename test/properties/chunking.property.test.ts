/**
 * Streams have no borders: however the bytes of a peer are cut, what is read from them is the same, nonsense included.
 * 10,000 streams for the wire and for each end of the encrypted handshake, mostly spoiled.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { concatBytes, toHex } from '../../src/base/bytes.ts';
import { AppError, ProtocolError } from '../../src/base/errors.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { MseInitiator, MseResponder, type MseCrypto } from '../../src/codec/index.ts';
import { WireReader } from '../../src/codec/wire.ts';
import { hostileBytes } from './harness/hostile-bytes.ts';
import { SUBJECTS } from './subjects.ts';

const runs = {
  numRuns: Number(process.env['SEEDBED_FUZZ_CASES'] ?? 10_000),
  seed: Number(process.env['SEEDBED_FUZZ_SEED'] ?? 1),
};
const key = parseSwarmKey('0123456789abcdef0123456789abcdef01234567');

/** Feeds the bytes in these pieces, the sizes over and over; returns the complaint, if any. Only typed errors are caught. */
function feedCut(bytes: Uint8Array, sizes: readonly number[], feed: (chunk: Uint8Array) => void): string | undefined {
  try {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] ?? bytes.length;
      feed(bytes.slice(at, at + size));
      at += size;
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.code;
  }
}

/** All that the wire says, blocks joined, then how it ended. */
function heard(bytes: Uint8Array, sizes: readonly number[]): unknown[] {
  const said: unknown[] = [];
  let block: Uint8Array[] = [];
  const reader = new WireReader({
    handshake: ({ swarmKey, fast }) => said.push(['handshake', swarmKey, fast]),
    message: (message) => said.push(message),
    request: (...request) => said.push(['request', ...request]),
    blockStart: (...start) => {
      block = [];
      said.push(['block', ...start]);
    },
    blockBytes: (part, isLast) => {
      block.push(part.slice());
      if (isLast) said.push(toHex(concatBytes(block)));
    },
  });
  said.push(feedCut(bytes, sizes, (chunk) => reader.feed(chunk)));
  return said;
}

const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 });

test('the wire says the same in any chunking, spoiled or not', () => {
  const corpus = SUBJECTS.find(({ name }) => name === 'the peer wire')?.corpus ?? [];
  const small = corpus.map((bytes) => bytes.subarray(0, 2_000));
  fc.assert(
    fc.property(hostileBytes(small), sizes, (bytes, cut) => {
      expect(heard(bytes, cut)).toEqual(heard(bytes, [bytes.length]));
    }),
    runs,
  );
});

const node = new NodeMseCrypto();

/** Real arithmetic is Node's business and tested there; here one that is quick, with numbers that are no secret. */
const quick: MseCrypto = {
  createKeyPair: () => ({
    publicKey: new Uint8Array(96).fill(3),
    secretWith(theirs) {
      if (theirs.every((byte) => byte === 0)) throw new ProtocolError('a public key that no honest peer sends');
      return new Uint8Array(96).fill(5);
    },
  }),
  sha1: (bytes) => node.sha1(bytes),
  randomBytes: (count) => new Uint8Array(count).fill(1),
};

/** The swarm that the responder opened, if any. */
function respond(bytes: Uint8Array, cut: readonly number[]): unknown {
  let opened: unknown;
  const responder = new MseResponder(
    { crypto: quick, accepts: ['plain', 'rc4'] },
    { send: () => undefined, opened: (stream) => (opened = stream.swarmKey), find: () => key },
  );
  feedCut(bytes, cut, (chunk) => responder.feed(chunk));
  return opened;
}

function initiate(bytes: Uint8Array, cut: readonly number[]): unknown {
  let opened: unknown;
  const initiator = new MseInitiator(
    { crypto: quick, swarmKey: key, offers: ['plain', 'rc4'], initialPayload: new Uint8Array(68).fill(19) },
    { send: () => undefined, opened: (stream) => (opened = stream.swarmKey) },
  );
  initiator.start();
  feedCut(bytes, cut, (chunk) => initiator.feed(chunk));
  return opened;
}

/** What each end says in a handshake that succeeds. */
function conversation(): { readonly fromInitiator: Uint8Array; readonly fromResponder: Uint8Array } {
  const fromInitiator: Uint8Array[] = [];
  const fromResponder: Uint8Array[] = [];
  const responder = new MseResponder(
    { crypto: quick, accepts: ['plain', 'rc4'] },
    { send: (part) => fromResponder.push(part.slice()), opened: () => undefined, find: () => key },
  );
  const initiator = new MseInitiator(
    { crypto: quick, swarmKey: key, offers: ['plain', 'rc4'], initialPayload: new Uint8Array(68).fill(19) },
    { send: (part) => fromInitiator.push(part.slice()), opened: () => undefined },
  );
  initiator.start();
  for (let [ours, theirs] = [0, 0]; ours < fromInitiator.length || theirs < fromResponder.length;) {
    for (; ours < fromInitiator.length; ours++) responder.feed(fromInitiator[ours] ?? new Uint8Array(0));
    for (; theirs < fromResponder.length; theirs++) initiator.feed(fromResponder[theirs] ?? new Uint8Array(0));
  }
  return { fromInitiator: concatBytes(fromInitiator), fromResponder: concatBytes(fromResponder) };
}

test('an honest encrypted handshake opens at both ends', () => {
  const { fromInitiator, fromResponder } = conversation();
  expect(respond(fromInitiator, [7, 300])).toBe(key);
  expect(initiate(fromResponder, [7, 300])).toBe(key);
});

test.each([
  { end: 'the responder', run: respond, corpus: conversation().fromInitiator },
  { end: 'the initiator', run: initiate, corpus: conversation().fromResponder },
])('$end of an encrypted handshake ends the same in any chunking, spoiled or not', ({ run, corpus }) => {
  fc.assert(
    fc.property(hostileBytes([corpus]), sizes, (bytes, cut) => {
      expect(run(bytes, cut)).toBe(run(bytes, [bytes.length]));
    }),
    runs,
  );
});
