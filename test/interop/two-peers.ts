/**
 * Two peers and nobody else: ours in this process, a stock client on the other host, each told where the other listens.
 * They share one torrent, which one of them has.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { parseSha256 } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeBencode } from '../../src/codec/bencode.ts';
import { canonicalInfo, canonicalPieceLength } from '../../src/codec/canonical.ts';
import { encodeCompactPeers } from '../../src/codec/compact-peers.ts';
import { formatMagnet } from '../../src/codec/magnet.ts';
import { infoHashV1Of, writeMetainfo } from '../../src/codec/metainfo.ts';
import { parseTorrentInfo } from '../../src/codec/torrent-info.ts';
import { openFiles, SwarmNode } from '../../src/kit/node/index.ts';
import type { EncryptionPolicy, PeerAddress, Torrent } from '../../src/torrent/index.ts';
import { eventually } from '../support/eventually.ts';
import type { Program } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import type { OtherHost } from './network.ts';

export type Role = 'seed' | 'leech';

/** What a transfer may take on a busy machine, and the test around it. */
export const SOON = { timeoutMs: 60_000, intervalMs: 20 };
export const TEST_TIMEOUT_MS = 90_000;
/** So that a client lives to tell what its stream was. */
const SLOWLY = { uploadBytesPerSecond: 2 * MIB, downloadBytesPerSecond: 2 * MIB };
const CLIENT_PORT = 6881;
const LIBTORRENT = path.resolve(import.meta.dirname, 'peers/libtorrent_peer.py');

const BYTES = seededBytes('two peers', 700 * KIB + 321);
const SHA256 = parseSha256(createHash('sha256').update(BYTES).digest('hex'));
const RAW_INFO = canonicalRawInfo();

function canonicalRawInfo(): Uint8Array<ArrayBuffer> {
  const step = canonicalPieceLength(BYTES.length);
  const pieces: Buffer[] = [];
  for (let at = 0; at < BYTES.length; at += step)
    pieces.push(
      createHash('sha1')
        .update(BYTES.subarray(at, at + step))
        .digest(),
    );
  return canonicalInfo({ sha256: SHA256, sizeBytes: BYTES.length, pieces: new Uint8Array(Buffer.concat(pieces)) });
}

export interface PeerFolder {
  readonly folder: string;
  readonly torrentFile: string;
}

/** A folder with the torrent file in it and, for a seed, the bytes. */
export async function folderFor(role: Role, trackers: readonly string[] = []): Promise<PeerFolder> {
  const folder = await testFolder('two-peers');
  const torrentFile = path.join(folder, 'it.torrent');
  await writeFile(torrentFile, writeMetainfo({ rawInfo: RAW_INFO, trackers: trackers.map((tracker) => [tracker]) }));
  if (role === 'seed') await writeFile(path.join(folder, SHA256), BYTES);
  return { folder, torrentFile };
}

/** Whether the folder has all bytes, the right ones. */
export async function isWhole(folder: string): Promise<boolean> {
  const bytes = await readFile(path.join(folder, SHA256));
  return createHash('sha256').update(bytes).digest('hex') === SHA256;
}

export interface OurPeer {
  readonly torrent: Torrent;
  readonly folder: string;
  readonly port: number;
  /** Transports of the peers that were connected so far. */
  readonly transports: ReadonlySet<string>;
}

/** Our peer, with the torrent whole or missing; it ends with the test. */
export async function ourPeer(host: OtherHost, role: Role, encryption: EncryptionPolicy = 'prefer'): Promise<OurPeer> {
  const node = await SwarmNode.open({ host: host.here, encryption });
  onTestFinished(() => node.stop());
  const { folder } = await folderFor(role);
  const info = parseTorrentInfo(RAW_INFO);
  const opened = await openFiles(info, folder);
  const v1 = await infoHashV1Of(RAW_INFO);
  const torrent = node.engine.add({ v1, info, ...opened, ...SLOWLY });
  const transports = new Set<string>();
  torrent.events.on('peer', ({ peer }) => transports.add(peer.transport));
  return { torrent, folder, port: node.address.port, transports };
}

/** Has our torrent dial the client, again and again until it listens. */
export async function dialClient(host: OtherHost, torrent: Torrent): Promise<void> {
  const address = { host: host.there, port: CLIENT_PORT };
  torrent.addPeers([address]);
  await eventually(
    'connected',
    () => {
      if (torrent.peerCount === 0) torrent.callBack(address);
      return torrent.peerCount > 0;
    },
    SOON,
  );
}

export interface LibtorrentOptions {
  /** Of its session. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Where to dial us; undefined: it waits. */
  readonly peerPort?: number | undefined;
  readonly byMagnet?: boolean;
}

/** libtorrent on the other host; it ends with the test. */
export async function libtorrentPeer(
  host: OtherHost,
  role: Role,
  { settings, peerPort, byMagnet = false }: LibtorrentOptions,
): Promise<{ program: Program; folder: string }> {
  const { folder, torrentFile } = await folderFor(role);
  const source = byMagnet ? formatMagnet({ v1: await infoHashV1Of(RAW_INFO) }) : torrentFile;
  const options = { settings, ...(peerPort !== undefined && { peer: [host.here, peerPort] }) };
  const listen = `${host.there}:${CLIENT_PORT}`;
  const program = host.start('/usr/bin/python3', [LIBTORRENT, role, source, folder, listen, JSON.stringify(options)]);
  onTestFinished(async () => void (await program.stop()));
  return { program, folder };
}

/** A tracker that knows one peer, or none; it ends with the test. */
export async function trackerNaming(host: OtherHost, peer: PeerAddress | undefined): Promise<string> {
  const peers = peer === undefined ? new Uint8Array(0) : encodeCompactPeers([peer]).v4;
  const answer = encodeBencode({ interval: 60, peers });
  const server = createServer((_, response) => response.end(answer));
  server.listen(0, host.here);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return `http://${host.here}:${port}/announce`;
}
