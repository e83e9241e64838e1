/** What each kind of hostile peer does with a connection. Every loop ends with the connection. */
import { KIB, MIB, SECOND_MS } from '../../../src/base/units.ts';
import { encodeBencode } from '../../../src/codec/bencode.ts';
import { Bitfield } from '../../../src/codec/bitfield.ts';
import { decodeMetadataMessage, encodeMetadataMessage } from '../../../src/codec/extension.ts';
import { encodeHandshake } from '../../../src/codec/handshake.ts';
import { encodeBitfield, encodeExtended, encodePieceIndex, writePieceHeader } from '../../../src/codec/wire-encode.ts';
import { ENCRYPTION_BEHAVIOURS } from './encryption-hostiles.ts';
import { HASH_BEHAVIOURS } from './hash-hostiles.ts';
import type { HostileKind } from './hostile.ts';
import { RATE_BEHAVIOURS } from './rate-hostiles.ts';
import { blockOf, greet, pose, randomBlock, repeatedly, servesWith, type Behaviour } from './hostile-basics.ts';

export const BEHAVIOURS: Readonly<Record<HostileKind, Behaviour>> = {
  ...HASH_BEHAVIOURS,
  ...ENCRYPTION_BEHAVIOURS,
  ...RATE_BEHAVIOURS,

  'wrong blocks': servesWith(1),
  'some wrong blocks': servesWith(0.2),

  'never answers': pose,

  'late answers': (attack) => {
    pose(attack);
    attack.peer.onRequest = (request) =>
      attack.after(attack.dice.int(SECOND_MS, 25 * SECOND_MS), () =>
        attack.peer.sendBlock(request, blockOf(attack, request)),
      );
  },

  'half a block': (attack) => {
    pose(attack);
    let left = attack.dice.int(0, 3);
    attack.peer.onRequest = (request) => {
      const bytes = blockOf(attack, request);
      if (left-- > 0) attack.peer.sendBlock(request, bytes);
      if (left !== -1) return;
      const message = new Uint8Array(13 + (bytes.length >> 1));
      writePieceHeader(message, 0, request);
      message.set(bytes.subarray(0, bytes.length >> 1), 13);
      attack.peer.send(message);
    };
  },

  'answers twice': (attack) => {
    pose(attack);
    attack.peer.onRequest = (request) => {
      for (let times = 0; times < 2; times++) attack.peer.sendBlock(request, blockOf(attack, request));
    };
  },

  'rejects all': (attack) => {
    pose(attack);
    attack.peer.onRequest = (request) => attack.peer.reject(request);
  },

  'floods requests': (attack) => {
    greet(attack);
    attack.peer.signal('interested');
    repeatedly(attack, 200, () => attack.peer.request(...Array.from({ length: 80 }, () => randomBlock(attack))));
  },

  'cancels everything': (attack) => {
    greet(attack);
    attack.peer.signal('interested');
    repeatedly(attack, 150, () => {
      const blocks = Array.from({ length: 10 }, () => randomBlock(attack));
      attack.peer.request(...blocks);
      attack.after(attack.dice.int(0, 200), () => attack.peer.cancel(...blocks));
    });
  },

  'false bitfield': (attack) => {
    greet(attack);
    const { peer, source, dice } = attack;
    const claimed = new Bitfield(source.info.pieceCount);
    for (let piece = 0; piece < claimed.length; piece++) if (dice.chance(0.5)) claimed.set(piece);
    peer.send(encodeBitfield(claimed)).signal('unchoke');
    peer.onRequest = (request) => {
      if (dice.chance(0.5)) peer.reject(request);
    };
  },

  'endless have': (attack) => {
    greet(attack);
    const { peer, source, dice } = attack;
    repeatedly(attack, 50, () => {
      for (let times = 0; times < 20; times++)
        peer.send(encodePieceIndex('have', dice.int(0, source.info.pieceCount - (dice.chance(0.01) ? 0 : 1))));
    });
  },

  flapping: (attack) => {
    pose(attack);
    const { peer, dice } = attack;
    let isChoking = false;
    peer.onRequest = (request) => {
      if (!isChoking) attack.after(dice.int(0, 300), () => peer.sendBlock(request, blockOf(attack, request)));
    };
    repeatedly(attack, dice.int(30, 400), () => {
      isChoking = !isChoking;
      peer.signal(isChoking ? 'choke' : 'unchoke');
    });
  },

  'bogus metadata': (attack) => {
    greet(attack, true);
    const { peer, source, dice } = attack;
    const trueBytes = source.info.rawInfo.length;
    const metadataBytes = dice.pick([trueBytes, 1, trueBytes + 1, 40 * KIB, 4 * MIB]);
    peer.sayExtensions({ extensions: { ut_metadata: 7, ut_pex: 8 }, metadataBytes });
    peer.onMessage = (message) => {
      if (message.type !== 'extended' || message.extensionId !== 7) return;
      const asked = decodeMetadataMessage(message.payload);
      if (asked?.type !== 'request') return;
      const bytes = dice.bytes(Math.max(1, Math.min(16 * KIB, metadataBytes - asked.piece * 16 * KIB)));
      peer.send(
        encodeExtended(
          1,
          encodeMetadataMessage({ type: 'data', piece: asked.piece, totalBytes: metadataBytes, bytes }),
        ),
      );
    };
  },

  'oversize exchange': (attack) => {
    greet(attack, true);
    const { peer, dice } = attack;
    peer.sayExtensions({ extensions: { ut_pex: 2 } });
    repeatedly(attack, 3 * SECOND_MS, () => {
      // Addresses of 172.16/12, six bytes each: nobody is there.
      const added = Uint8Array.from({ length: 6 * 300 }, (_, at) => [172, 16][at % 6] ?? dice.int(1, 254));
      peer.send(encodeExtended(2, encodeBencode({ added, 'added.f': new Uint8Array(300) })));
    });
  },

  'slow loris': (attack) => {
    const { peer, swarmKey, dice } = attack;
    const hello = encodeHandshake({
      swarmKey,
      peerId: dice.bytes(20),
      fast: true,
      extensions: true,
      dht: false,
      v2: false,
    });
    let at = 0;
    repeatedly(attack, 900, () => {
      if (at < hello.length) peer.send(hello.slice(at, ++at));
    });
  },

  garbage: (attack) => {
    const { peer, dice } = attack;
    if (dice.chance(0.8)) greet(attack, dice.chance(0.5));
    repeatedly(attack, dice.int(1, 100), () => {
      const bytes = dice.bytes(dice.int(1, 400));
      // Well framed nonsense reaches deeper than noise.
      if (dice.chance(0.7) && bytes.length > 8) {
        new DataView(bytes.buffer).setUint32(0, bytes.length - 4);
        bytes[4] = dice.int(0, 24);
      }
      peer.send(bytes);
    });
  },

  'never reads': (attack) => {
    greet(attack);
    attack.peer.signal('interested');
    attack.after(2 * SECOND_MS, () => {
      attack.socket.pause();
      repeatedly(attack, 500, () => attack.peer.request(...Array.from({ length: 60 }, () => randomBlock(attack))));
    });
  },
};
