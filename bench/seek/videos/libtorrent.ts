/** The film by libtorrent with piece deadlines: `libtorrent_swarm.py view` in a child, asked piece by piece. */
import path from 'node:path';
import { KIB } from '../../../src/base/units.ts';
import { startProgram } from '../../../test/support/program.ts';
import { readTorrent } from '../../support/engine.ts';
import type { OpenVideo } from '../viewer.ts';

const SCRIPT = path.resolve(import.meta.dirname, '../libtorrent_swarm.py');
const CHUNK_BYTES = 256 * KIB;
const PATIENCE_MS = 60_000;

export const openVideo: OpenVideo = async ({ torrentFile, folder, addresses, bytesPerSecond }) => {
  const { info } = await readTorrent(torrentFile);
  const pieceMs = (info.pieceLengthBytes / bytesPerSecond) * 1000;
  const child = startProgram('/usr/bin/python3', [
    SCRIPT,
    'view',
    torrentFile,
    folder,
    addresses.join(','),
    String(Math.round(pieceMs)),
  ]);
  process.once('exit', () => child.signal('SIGKILL'));
  await child.line(/READY/, PATIENCE_MS);
  let asked = 0;
  return {
    connect: () => child.say('connect'),
    open: (start) => {
      let position = start;
      let readablePiece = -1;
      child.say(`open ${Math.floor(start / info.pieceLengthBytes)}`);
      return {
        next: async () => {
          const piece = Math.floor(position / info.pieceLengthBytes);
          if (piece !== readablePiece) {
            const ticket = ++asked;
            child.say(`want ${ticket} ${piece}`);
            await child.line(new RegExp(`HAVE ${ticket}\n`), PATIENCE_MS);
            readablePiece = piece;
          }
          const end = Math.min((piece + 1) * info.pieceLengthBytes, position + CHUNK_BYTES, info.totalBytes);
          const sizeBytes = end - position;
          position = end;
          return sizeBytes;
        },
        leave: () => undefined,
      };
    },
  };
};
