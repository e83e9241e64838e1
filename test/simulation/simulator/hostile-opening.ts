/**
 * How hostile peers get to talk: plainly, or behind an encrypted handshake that keeps to the rules, so that they reach
 * those who require one. Invariant: whoever takes the stream gets every byte of it, once.
 */
import type { SwarmKey } from '../../../src/base/ids.ts';
import { obfuscatedKey } from '../../../src/codec/mse.ts';
import { IncomingOpening, OutgoingOpening, type OpenedStream } from '../../../src/torrent/peer/opening.ts';
import type { PeerSocket, PeerSocketListener } from '../../../src/torrent/ports.ts';
import { areEqual } from './compare.ts';
import type { Dice } from './dice.ts';
import { simulatedCrypto } from './encryption.ts';

export interface HostileOpening {
  readonly swarmKeys: readonly SwarmKey[];
  readonly dice: Dice;
  /** The stream is open. */
  readonly opened: (socket: PeerSocket) => void;
}

/** Takes a connection as it comes, plain or encrypted. */
export function openIncoming(socket: PeerSocket, { swarmKeys, dice, opened }: HostileOpening): void {
  const crypto = simulatedCrypto(dice);
  const opening = new IncomingOpening(
    socket,
    { crypto, requiresEncryption: false },
    {
      find: (obfuscated) => swarmKeys.find((key) => areEqual(obfuscatedKey(crypto, key), obfuscated)),
      opened: (stream) => opened(resumed(stream)),
      closed: () => undefined, // it came to nothing
    },
  );
  opening.start();
}

/** Opens with an encrypted handshake for one swarm. */
export function openEncrypted(socket: PeerSocket, swarmKey: SwarmKey, { dice, opened }: HostileOpening): void {
  const requiresEncryption = dice.chance(0.5);
  const opening = new OutgoingOpening(
    socket,
    { crypto: simulatedCrypto(dice), requiresEncryption, swarmKey, initialPayload: new Uint8Array(0) },
    { opened: (stream) => opened(resumed(stream)), closed: () => undefined },
  );
  opening.start();
}

/** The stream, with what came early in front. */
function resumed({ socket, early }: OpenedStream): PeerSocket {
  const first = early.slice();
  return {
    transport: socket.transport,
    remote: socket.remote,
    listen: (listener: PeerSocketListener) => {
      if (first.length > 0) listener.received(first);
      socket.listen(listener);
    },
    write: (bytes, released) => socket.write(bytes, released),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.close(),
  };
}
