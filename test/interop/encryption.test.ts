/**
 * Encrypted handshakes with stock clients on another host: who opens the connection, what each side insists on, and what
 * the stream then is.
 */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import { ENCRYPTED_CLIENTS } from './clients.ts';
import { otherHost, type OtherHost } from './network.ts';
import {
  dialClient,
  folderFor,
  isWhole,
  libtorrentPeer,
  ourPeer,
  SOON,
  TEST_TIMEOUT_MS,
  trackerNaming,
  type LibtorrentOptions,
} from './two-peers.ts';

/** libtorrent's own numbers. */
const POLICY = { forced: 0, enabled: 1, disabled: 2 } as const;
const LEVEL = { plaintext: 1, rc4: 2, both: 3 } as const;

interface LibtorrentEncryption {
  readonly policy: keyof typeof POLICY;
  readonly level: keyof typeof LEVEL;
  readonly prefersRc4?: boolean;
}

function settingsFor({ policy, level, prefersRc4 = false }: LibtorrentEncryption): LibtorrentOptions['settings'] {
  return {
    out_enc_policy: POLICY[policy],
    in_enc_policy: POLICY[policy],
    allowed_enc_level: LEVEL[level],
    prefer_rc4: prefersRc4,
  };
}

describeWith(['root', 'network namespaces'], 'encrypted handshakes with clients on another host', () => {
  let host: OtherHost;
  beforeAll(async () => {
    host = await otherHost();
  });
  afterAll(() => host[Symbol.asyncDispose]());

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
          const { torrent, folder } = await ourPeer(host, itsRole === 'seed' ? 'leech' : 'seed');
          const { program, folder: itsFolder } = await libtorrentPeer(host, itsRole, {
            settings: settingsFor(encryption),
          });
          await dialClient(host, torrent);
          await program.line(new RegExp(`STREAM ${whenWeDial}$`, 'm'));
          await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : itsFolder), SOON);
        },
        TEST_TIMEOUT_MS,
      );

      test.each(['seed', 'leech'] as const)(
        `with ${what}: it dials us as a %s, stream ${whenItDials}`,
        async (itsRole) => {
          const { folder, port } = await ourPeer(host, itsRole === 'seed' ? 'leech' : 'seed');
          const { program, folder: itsFolder } = await libtorrentPeer(host, itsRole, {
            settings: settingsFor(encryption),
            peerPort: port,
          });
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
        const { port } = await ourPeer(host, 'seed');
        const { program, folder } = await libtorrentPeer(host, 'leech', {
          settings: settingsFor(encryption),
          peerPort: port,
          byMagnet: true,
        });
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
        const { torrent, folder, port } = await ourPeer(host, 'leech', 'require');
        const { program } = await libtorrentPeer(host, 'seed', {
          settings: settingsFor({ policy: 'enabled', level: 'both' }),
          peerPort: isOurs ? undefined : port,
        });
        if (isOurs) await dialClient(host, torrent);
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
          const { torrent, folder, port } = await ourPeer(host, itsRole === 'seed' ? 'leech' : 'seed', 'require');
          const tracker = await trackerNaming(host, isOurs ? undefined : { host: host.here, port });
          const its = await folderFor(itsRole, [tracker]);
          const program = await client[itsRole](host, its.torrentFile, its.folder);
          onTestFinished(async () => void (await program.stop()));
          if (isOurs) await dialClient(host, torrent);
          await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : its.folder), SOON).catch(
            (error: unknown) => expect.fail(`${String(error)}\n${program.output.slice(-3_000)}`),
          );
        },
        TEST_TIMEOUT_MS,
      );
    });
});
