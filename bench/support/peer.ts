/**
 * BitTorrent peers of all makes as child processes that speak one small protocol: `seed` prints READY; `leech` prints
 * READY, connects when it is given a line, and prints `DONE <seconds> <seconds to the first byte>`, both since that line.
 * They stay until they are ended.
 */
import path from 'node:path';
import { lackOf } from '../../test/support/peers.ts';
import { type Program, startProgram } from '../../test/support/program.ts';

const peers = path.resolve(import.meta.dirname, '../peers');

export interface PeerKind {
  readonly name: string;
  readonly program: string;
  readonly script: string;
  /** Why it cannot run here. */
  readonly lack: string | undefined;
}

export const SEEDBED: PeerKind = {
  name: 'Seedbed',
  program: process.execPath,
  script: path.join(peers, 'seedbed.ts'),
  lack: undefined,
};

export const WEBTORRENT: PeerKind = {
  name: 'WebTorrent',
  program: process.execPath,
  script: path.join(peers, 'webtorrent.mjs'),
  lack: undefined,
};

export const LIBTORRENT: PeerKind = {
  name: 'libtorrent',
  program: '/usr/bin/python3',
  script: path.join(peers, 'libtorrent_peer.py'),
  lack: lackOf('libtorrent'),
};

export function startPeer(kind: PeerKind, ...args: readonly string[]): Program {
  return startProgram(kind.program, [kind.script, ...args]);
}
