/** uTP with stock clients on another host: over it, and only where TCP does not get through or the client prefers it. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import { STOCK_CLIENTS } from './clients.ts';
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
} from './two-peers.ts';

const UTP_ONLY = {
  enable_outgoing_tcp: false,
  enable_incoming_tcp: false,
  enable_outgoing_utp: true,
  enable_incoming_utp: true,
};
const FORCED_RC4 = { out_enc_policy: 0, in_enc_policy: 0, allowed_enc_level: 2 };
const BOTH = { enable_outgoing_utp: true, enable_incoming_utp: true };

describeWith(['root', 'network namespaces'], 'uTP with clients on another host', () => {
  let host: OtherHost;
  beforeAll(async () => {
    host = await otherHost();
  });
  afterAll(() => host[Symbol.asyncDispose]());

  describeWith(['libtorrent'], 'libtorrent', () => {
    test.each([
      { who: 'it dials us', isOurs: false, itsRole: 'leech', settings: UTP_ONLY, what: 'plain' },
      { who: 'it dials us', isOurs: false, itsRole: 'seed', settings: UTP_ONLY, what: 'plain' },
      { who: 'we dial it', isOurs: true, itsRole: 'leech', settings: UTP_ONLY, what: 'plain' },
      { who: 'we dial it', isOurs: true, itsRole: 'seed', settings: UTP_ONLY, what: 'plain' },
      { who: 'it dials us', isOurs: false, itsRole: 'seed', settings: { ...UTP_ONLY, ...FORCED_RC4 }, what: 'RC4' },
      { who: 'we dial it', isOurs: true, itsRole: 'seed', settings: { ...UTP_ONLY, ...FORCED_RC4 }, what: 'RC4' },
    ] as const)(
      'without TCP, $who as it is a $itsRole, and the stream is uTP, $what',
      async ({ isOurs, itsRole, settings }) => {
        const { torrent, folder, port, transports } = await ourPeer(host, itsRole === 'seed' ? 'leech' : 'seed');
        const its = await libtorrentPeer(host, itsRole, { settings, peerPort: isOurs ? undefined : port });
        if (isOurs) await dialClient(host, torrent);
        await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : its.folder), SOON).catch(
          (error: unknown) => expect.fail(`${String(error)}\n${its.program.output.slice(-3_000)}`),
        );
        expect([...transports]).toEqual(['utp']);
      },
      TEST_TIMEOUT_MS,
    );

    test(
      'where TCP gets through we never dial by uTP',
      async () => {
        const { torrent, folder, transports } = await ourPeer(host, 'leech');
        const { program } = await libtorrentPeer(host, 'seed', { settings: BOTH });
        await program.line(/READY/);
        await dialClient(host, torrent);
        await eventually('the bytes are there', () => isWhole(folder), SOON);
        expect([...transports]).toEqual(['tcp']);
      },
      TEST_TIMEOUT_MS,
    );
  });

  for (const client of STOCK_CLIENTS.filter(({ name }) => name === 'Transmission'))
    describeWith(client.needs, client.name, () => {
      test.each(['leech', 'seed'] as const)(
        'as it comes, it dials us by uTP as a %s, and does not have to wait for TCP',
        async (itsRole) => {
          const { folder, port, transports } = await ourPeer(host, itsRole === 'seed' ? 'leech' : 'seed');
          const tracker = await trackerNaming(host, { host: host.here, port });
          const its = await folderFor(itsRole, [tracker]);
          const program = await client[itsRole](host, its.torrentFile, its.folder);
          onTestFinished(async () => void (await program.stop()));
          await eventually('the bytes are there', () => isWhole(itsRole === 'seed' ? folder : its.folder), SOON).catch(
            (error: unknown) => expect.fail(`${String(error)}\n${program.output.slice(-3_000)}`),
          );
          expect([...transports]).toEqual(['utp']);
        },
        TEST_TIMEOUT_MS,
      );
    });
});
