/** Peers that break the rules about the hashes of v2 torrents (BEP 52): each kind in one way. */
import { encodeHashes, encodeHashRequest } from '../../../src/codec/wire-encode.ts';
import { HASH_BYTES, type HashRequest } from '../../../src/codec/wire-hashes.ts';
import type { Attack } from './hostile.ts';
import { pose, repeatedly, servesWith, type Behaviour } from './hostile-basics.ts';

export const HASH_HOSTILE_KINDS = [
  'made-up hashes',
  'hashes of another place',
  'short proofs',
  'refuses hashes',
  'silent about hashes',
  'unasked hashes',
  'floods hash requests',
  'wrong blocks, no hashes',
] as const;
export type HashHostileKind = (typeof HASH_HOSTILE_KINDS)[number];

/** Poses as a seed and answers hash requests like this. */
function answers(answer: (attack: Attack, request: HashRequest) => Uint8Array | undefined): Behaviour {
  return (attack) => {
    pose(attack);
    attack.peer.onMessage = (message) => {
      if (message.type !== 'hash-request') return;
      const bytes = answer(attack, message.request);
      if (bytes !== undefined) attack.peer.send(bytes);
    };
  };
}

/** As many uncles as would be right for most requests. */
const mostUncles = ({ length, proofLayers }: HashRequest): number => Math.max(0, proofLayers + 1 - Math.log2(length));

function randomRequest({ source, dice }: Attack): HashRequest {
  const roots = source.info.files.flatMap(({ piecesRoot }) => (piecesRoot === undefined ? [] : [piecesRoot]));
  return {
    piecesRoot: dice.chance(0.9) && roots.length > 0 ? dice.pick(roots) : dice.bytes(HASH_BYTES),
    baseLayer: dice.int(0, 6),
    index: dice.int(0, 40),
    length: dice.chance(0.7) ? 2 ** dice.int(0, 6) : dice.int(1, 600),
    proofLayers: dice.int(0, 9),
  };
}

export const HASH_BEHAVIOURS: Readonly<Record<HashHostileKind, Behaviour>> = {
  'made-up hashes': answers(({ dice }, request) =>
    encodeHashes(request, dice.bytes((request.length + mostUncles(request)) * HASH_BYTES)),
  ),

  'hashes of another place': answers(({ source }, request) => {
    const layer = source.pieceLayers?.get(Buffer.from(request.piecesRoot).toString('hex')) ?? new Uint8Array(0);
    const hashes = new Uint8Array((request.length + mostUncles(request)) * HASH_BYTES);
    hashes.set(layer.subarray(HASH_BYTES, hashes.length));
    return encodeHashes(request, hashes);
  }),

  'short proofs': answers(({ dice }, request) => encodeHashes(request, dice.bytes(request.length * HASH_BYTES))),

  'refuses hashes': answers((_, request) => encodeHashRequest('hashReject', request)),

  'silent about hashes': answers(() => undefined),

  'unasked hashes': (attack) => {
    pose(attack);
    repeatedly(attack, 300, () => {
      const request = randomRequest(attack);
      attack.peer.send(encodeHashes(request, attack.dice.bytes(request.length * HASH_BYTES)));
    });
  },

  'floods hash requests': (attack) => {
    pose(attack);
    repeatedly(attack, 100, () => {
      for (let times = 0; times < 8; times++) attack.peer.send(encodeHashRequest('hashRequest', randomRequest(attack)));
    });
  },

  // The bytes are wrong, and so there is no way to find out which.
  'wrong blocks, no hashes': (attack) => {
    servesWith(0.3)(attack);
    attack.peer.onMessage = (message) => {
      if (message.type === 'hash-request') attack.peer.send(encodeHashRequest('hashReject', message.request));
    };
  },
};
