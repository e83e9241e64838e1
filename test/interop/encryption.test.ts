/**
 * Encrypted handshakes with stock clients on another host: who opens the connection, what each side insists on, and what
 * the stream then is. Nobody but the two peers is involved: each is told where the other listens.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseSha256 } from '../../src/base/ids.ts';
import { MIB } from '../../src/base/units.ts';
import { encodeBencode } from '../../src/codec/bencode.ts';
import { canonicalInfo, canonicalPieceLength } from '../../src/codec/canonical.ts';
import { encodeCompactPeers } from '../../src/codec/compact-peers.ts';
import { formatMagnet } from '../../src/codec/magnet.ts';
import { infoHashV1Of, writeMetainfo } from '../../src/codec/metainfo.ts';
import { parseTorrentInfo } from '../../src/codec/torrent-info.ts';
import { openFiles, SwarmNode } from '../../src/kit/node/index.ts';
import type { EncryptionPolicy, PeerAddress, Torrent } from '../../src/torrent/index.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import type { Program } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import { ENCRYPTED_CLIENTS } from './clients.ts';
import { otherHost, type OtherHost } from './network.ts';

const SOON = { timeoutMs: 40_000, intervalMs: 20 };
const TEST_TIMEOUT_MS = 60_000;
const CLIENT_PORT = 6881;
/** So that a client lives to tell what its stream was. */
const SLOWLY = { uploadBytesPerSecond: 6 * MIB, downloadBytesPerSecond: 6 * MIB };
const BYTES = seededBytes('encryption', 2 * MIB + 321);
const SHA256 = parseSha256(createHash('sha256').update(BYTES).digest('hex'));
const LIBTORRENT = path.resolve(import.meta.dirname, 'peers/libtorrent_peer.py');

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

const RAW_INFO = canonicalRawInfo();

/** A folder with the torrent file in it and, for a seed, the bytes. */
async function folderFor(
  role: 'seed' | 'leech',
  trackers: readonly string[] = [],
): Promise<{ folder: string; torrentFile: string }> {
  const folder = await testFolder('encryption');
  const torrentFile = path.join(folder, 'it.torrent');
  await writeFile(torrentFile, writeMetainfo({ rawInfo: RAW_INFO, trackers: trackers.map((tracker) => [tracker]) }));
  if (role === 'seed') await writeFile(path.join(folder, SHA256), BYTES);
  return { folder, torrentFile };
}

async function isWhole(folder: string): Promise<boolean> {
  const bytes = await readFile(path.join(folder, SHA256));
  return createHash('sha256').update(bytes).digest('hex') === SHA256;
}

/** libtorrent's own numbers. */
const POLICY = { forced: 0, enabled: 1, disabled: 2 } as const;
const LEVEL = { plaintext: 1, rc4: 2, both: 3 } as const;

interface LibtorrentEncryption {
  readonly policy: keyof typeof POLICY;
  readonly level: keyof typeof LEVEL;
  readonly prefersRc4?: boolean;
}

describeWith(['root', 'network namespaces'], 'encrypted handshakes with clients on another host', () => {
  let host: OtherHost;
  beforeAll(async () => {
    host = await otherHost();
  });
  afterAll(() => host[Symbol.asyncDispose]());

  /** Our peer, with the torrent whole or missing, and where it listens. */
  async function ours(
    role: 'seed' | 'leech',
    encryption: EncryptionPolicy,
  ): Promise<{ torrent: Torrent; folder: string; port: number }> {
    const node = await SwarmNode.open({ host: host.here, encryption });
    onTestFinished(() => node.stop());
    const { folder } = await folderFor(role);
    const info = parseTorrentInfo(RAW_INFO);
    const opened = await openFiles(info, folder);
    const v1 = await infoHashV1Of(RAW_INFO);
    const torrent = node.engine.add({ v1, info, ...opened, ...SLOWLY });
    return { torrent, folder, port: node.address.port };
  }

  async function libtorrent(
    role: 'seed' | 'leech',
    encryption: LibtorrentEncryption,
    peerPort?: number,
    byMagnet = false,
  ): Promise<{ program: Program; folder: string }> {
    const { folder, torrentFile } = await folderFor(role);
    const source = byMagnet ? formatMagnet({ v1: await infoHashV1Of(RAW_INFO) }) : torrentFile;
    const options = {
      settings: {
        out_enc_policy: POLICY[encryption.policy],
        in_enc_policy: POLICY[encryption.policy],
        allowed_enc_level: LEVEL[encryption.level],
        prefer_rc4: encryption.prefersRc4 ?? false,
      },
      ...(peerPort !== undefined && { peer: [host.here, peerPort] }),
    };
    const program = started('/usr/bin/python3', [
      LIBTORRENT,
      role,
      source,
      folder,
      `${host.there}:${CLIENT_PORT}`,
      JSON.stringify(options),
    ]);
    return { program, folder };
  }

  function started(program: string, args: readonly string[]): Program {
    const running = host.start(program, args);
    onTestFinished(async () => void (await running.stop()));
    return running;
  }

  /** Waits for the client's port, then has our torrent dial it. */
  async function dial(torrent: Torrent): Promise<void> {
    torrent.addPeers([{ host: host.there, port: CLIENT_PORT }]);
    await eventually('connected', () => torrent.peerCount > 0 || redial(torrent), SOON);
  }

  function redial(torrent: Torrent): false {
    torrent.callBack({ host: host.there, port: CLIENT_PORT });
    return false;
  }

  describeWith(['libtorrent'], 'libtorrent', () => {
    const LEVELS: readonly (LibtorrentEncryption & { readonly whenWeDial: string; readonly whenItDials: string })[] = [
      { policy: 'forced', level: 'rc4', whenWeDial: 'rc4', whenItDials: 'rc4' },
      { policy: 'forced', level: 'plaintext', whenWeDial: 'handshake', whenItDials: 'handshake' },
      { policy: 'forced', level: 'both', whenWeDial: 'handshake', whenItDials: 'handshake' },
      // It prefers RC4 where it chooses; we choose plain where we do.
      { policy: 'forced', level: 'both', prefersRc4: true, whenWeDial: 'rc4', whenItDials: 'handshake' },
      { policy: 'disabled', level: 'both', whenWeDial: 'plain', whenItDials: 'plain' },
    ];

    for (const { whenWeDial, whenItDials, ...encryption } of LEVELS) {
      const what = `${encryption.policy}, ${encryption.level}${encryption.prefersRc4 === true ? ', rc4 preferred' : ''}`;

      test.each(['seed', 'leech'] as const)(
        `with ${what}: we dial it as it is a %s, stream ${whenWeDial}`,
        async (itsRole) => {
          const { torrent, folder } = await ours(itsRole === 'seed' ? 'leech' : 'seed', 'prefer');
          const { program, folder: itsFolder } = await libtorrent(itsRole, encryption);
          await dial(torrent);
          await program.line(new RegExp(`STREAM ${whenWeDial}$`, 'm'));
          await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : itsFolder), SOON);
        },
        TEST_TIMEOUT_MS,
      );

      test.each(['seed', 'leech'] as const)(
        `with ${what}: it dials us as a %s, stream ${whenItDials}`,
        async (itsRole) => {
          const { folder, port } = await ours(itsRole === 'seed' ? 'leech' : 'seed', 'prefer');
          const { program, folder: itsFolder } = await libtorrent(itsRole, encryption, port);
          await program.line(new RegExp(`STREAM ${whenItDials}$`, 'm'));
          await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : itsFolder), SOON);
        },
        TEST_TIMEOUT_MS,
      );
    }

    test.each([
      { policy: 'forced', level: 'rc4' },
      { policy: 'forced', level: 'plaintext' },
    ] as const)(
      'a magnet finds its metadata, then its bytes, with $policy, $level',
      async (encryption) => {
        const { port } = await ours('seed', 'prefer');
        const { program, folder } = await libtorrent('leech', encryption, port, true);
        await program.line(/DONE/, SOON.timeoutMs);
        expect(await isWhole(folder)).toBe(true);
      },
      TEST_TIMEOUT_MS,
    );

    test.each([
      { who: 'we dial', isOurs: true },
      { who: 'it dials', isOurs: false },
    ])(
      'where we require encryption and $who, the stream is RC4',
      async ({ isOurs }) => {
        const { torrent, folder, port } = await ours('leech', 'require');
        const { program } = await libtorrent('seed', { policy: 'enabled', level: 'both' }, isOurs ? undefined : port);
        if (isOurs) await dial(torrent);
        await program.line(/STREAM rc4$/m);
        await eventually('the bytes are there', () => isWhole(folder), SOON);
      },
      TEST_TIMEOUT_MS,
    );
  });

  for (const client of ENCRYPTED_CLIENTS)
    describeWith(client.needs, `${client.name}, which speaks encrypted only`, () => {
      test.each([
        { who: 'it dials us', isOurs: false, itsRole: 'leech' },
        { who: 'it dials us', isOurs: false, itsRole: 'seed' },
        { who: 'we dial it', isOurs: true, itsRole: 'leech' },
        { who: 'we dial it', isOurs: true, itsRole: 'seed' },
      ] as const)(
        '$who as it is a $itsRole, and we require RC4 as well',
        async ({ isOurs, itsRole }) => {
          const { torrent, folder, port } = await ours(itsRole === 'seed' ? 'leech' : 'seed', 'require');
          const tracker = await trackerNaming(isOurs ? undefined : { host: host.here, port });
          const its = await folderFor(itsRole, [tracker]);
          const program = await client[itsRole](host, its.torrentFile, its.folder);
          onTestFinished(async () => void (await program.stop()));
          if (isOurs) await dial(torrent);
          await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : its.folder), SOON).catch(
            (error: unknown) => expect.fail(`${String(error)}\n${program.output.slice(-3_000)}`),
          );
        },
        TEST_TIMEOUT_MS,
      );
    });

  /** A tracker that knows one peer, or none. */
  async function trackerNaming(peer: PeerAddress | undefined): Promise<string> {
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
});
