/** The server's peer port as other BitTorrent clients meet it: which transports, which handshakes, for a file at rest. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { loadUtp } from '../../src/adapters/utp/load.ts';
import type { MediumInfo } from '../../src/base/api.ts';
import { concatBytes } from '../../src/base/bytes.ts';
import { parseSwarmKey, type SwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { decodeHandshake, encodeHandshake, HANDSHAKE_BYTES } from '../../src/codec/handshake.ts';
import { MseInitiator } from '../../src/codec/mse-handshake.ts';
import type { MseMethod } from '../../src/codec/mse.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';

const hasUtp = (await loadUtp(silentLog)) !== undefined;

async function serving(settings: Readonly<Record<string, string>>): Promise<RunningServer> {
  return startServer({
    dataFolder: await testFolder('peer-port'),
    settings: { SEEDBED_UPLOADS: 'anyone', ...settings },
  });
}

/** Publishes a file and tells its swarm. */
async function publish(server: RunningServer): Promise<SwarmKey> {
  const form = new FormData();
  form.append('file', new Blob([seededBytes('peer port', 300_000)]), 'film.bin');
  const answer = await fetch(`${server.origin}/api/v1/media`, { method: 'POST', body: form });
  const { torrent } = (await answer.json()) as MediumInfo;
  return parseSwarmKey(torrent?.infoHash ?? '');
}

/** How a peer opens: in plain, or encrypted and ready for these methods. Tells the server's handshake, if one comes. */
async function greet(server: RunningServer, swarmKey: SwarmKey, offers: readonly MseMethod[] | 'plain') {
  const hello = encodeHandshake({
    swarmKey,
    peerId: createPeerId(),
    extensions: true,
    fast: true,
    dht: false,
    v2: false,
  });
  const socket = net.connect(Number(server.peerAddress.split(':').at(-1)), '127.0.0.1');
  let received: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  const closed = once(socket, 'close').then(() => undefined);
  const answered = new Promise<SwarmKey>((resolve) => {
    const take = (bytes: Uint8Array): void => {
      received = concatBytes([received, bytes]);
      if (received.length >= HANDSHAKE_BYTES) resolve(decodeHandshake(received.subarray(0, HANDSHAKE_BYTES)).swarmKey);
    };
    if (offers === 'plain') {
      socket.on('data', take);
      socket.write(hello);
      return;
    }
    let read: ((bytes: Uint8Array) => void) | undefined;
    const initiator = new MseInitiator(
      { crypto: new NodeMseCrypto(), swarmKey, offers, initialPayload: hello },
      {
        send: (bytes) => socket.write(bytes),
        opened: ({ early, ciphers }) => {
          read = (bytes) => {
            const plain = bytes.slice();
            ciphers?.incoming.apply(plain);
            take(plain);
          };
          take(early);
        },
      },
    );
    socket.on('data', (bytes: Uint8Array) => (read === undefined ? initiator.feed(bytes) : read(bytes)));
    initiator.start();
  });
  try {
    return await Promise.race([answered, closed]);
  } finally {
    socket.destroy();
    await closed;
  }
}

describe('a file at rest is served', () => {
  test.each([
    { policy: 'prefer', plain: true, 'plain or rc4': true, rc4: true },
    { policy: 'require', plain: false, 'plain or rc4': true, rc4: true },
    { policy: 'off', plain: true, 'plain or rc4': false, rc4: false },
  ] as const)('with SEEDBED_ENCRYPTION=$policy: to plain peers $plain, to encrypted ones $rc4', async (given) => {
    await using server = await serving({ SEEDBED_ENCRYPTION: given.policy });
    const swarmKey = await publish(server);
    const answers = {
      'plain or rc4': await greet(server, swarmKey, ['plain', 'rc4']),
      rc4: await greet(server, swarmKey, ['rc4']),
      plain: await greet(server, swarmKey, 'plain'),
    };
    for (const way of ['plain', 'rc4', 'plain or rc4'] as const)
      expect(answers[way], way).toBe(given[way] ? swarmKey : undefined);
  });
});

/** Whether the UDP port is somebody's. */
async function isTaken(port: number): Promise<boolean> {
  const socket = dgram.createSocket('udp4');
  try {
    socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return false;
  } catch {
    return true;
  } finally {
    socket.close();
  }
}

test.skipIf(!hasUtp).each([
  { setting: undefined, speaks: true },
  { setting: 'true', speaks: true },
  { setting: 'false', speaks: false },
])('with SEEDBED_UTP=$setting the peer port is a UDP port, too: $speaks', async ({ setting, speaks }) => {
  await using server = await serving(setting === undefined ? {} : { SEEDBED_UTP: setting });
  expect(await isTaken(Number(server.peerAddress.split(':').at(-1)))).toBe(speaks);
});

test.skipIf(!hasUtp)('a UDP port that somebody else has costs uTP, not the start', async () => {
  const other = dgram.createSocket('udp4');
  other.bind(0, '127.0.0.1');
  await once(other, 'listening');
  await using server = await serving({ SEEDBED_PEER_PORT: String(other.address().port) });
  expect(server.program.output).toContain('utp.unavailable');
  expect(await greet(server, await publish(server), 'plain')).toBeDefined();
  other.close();
});
