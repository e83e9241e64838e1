import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { requireAll } from '../../../test/support/peers.ts';
import { parseIp } from '../../base/address.ts';
import { fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { Cancelled, StorageFailed, Unavailable } from '../../base/errors.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import { MINUTE_MS } from '../../base/units.ts';
import * as codec from '../../codec/tracker-udp.ts';
import { SwarmRegistry } from '../../tracker/registry.ts';
import { UdpTracker } from '../../tracker/udp.ts';
import { KeyedConnectionIds } from './connection-ids.ts';
import { UdpServer } from './udp-server.ts';

const KNOWN = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const FOREIGN = parseSwarmKey('0'.repeat(40));
const IP = parseIp('192.0.2.1');
const OTHER_IP = parseIp('192.0.2.2');

function tracker(clock = new FakeClock()): { tracker: UdpTracker; clock: FakeClock; registry: SwarmRegistry } {
  const admission = { admits: (key: string) => key === KNOWN };
  const registry = new SwarmRegistry({ clock, admission, ownSeed: { addressFor: () => undefined } });
  return { tracker: new UdpTracker(registry, new KeyedConnectionIds(clock)), clock, registry };
}

function announce(connectionId: Uint8Array, changes: Partial<codec.UdpAnnounce> = {}): Uint8Array {
  return codec.encodeUdpRequest({
    type: 'announce',
    transactionId: 7,
    connectionId,
    swarmKey: KNOWN,
    peerId: utf8('-SB0100-abcdefghijkl'),
    port: 6881,
    uploadedBytes: 0,
    downloadedBytes: 0,
    leftBytes: 1,
    event: 'started',
    key: 1,
    urlData: '',
    ...changes,
  });
}

const CONNECT = codec.encodeUdpRequest({ type: 'connect', transactionId: 7 });

function connect(to: UdpTracker, ip = IP): Uint8Array {
  const answer = codec.decodeUdpConnectAnswer(to.answer(CONNECT, ip, 1) ?? utf8(''));
  if (answer.kind === 'failure') throw new Error(answer.reason);
  return answer.connectionId;
}

describe('connection ids', () => {
  test('hold for the address they were given to, and for no other', () => {
    const ids = new KeyedConnectionIds(new FakeClock());
    const id = ids.issue(IP).slice();
    expect(ids.accepts(id, IP)).toBe(true);
    expect(ids.accepts(id, OTHER_IP)).toBe(false);
    expect(ids.accepts(id, parseIp('2001:db8::1'))).toBe(false);
  });

  test('hold for at least one minute and end after two', () => {
    const clock = new FakeClock();
    const ids = new KeyedConnectionIds(clock);
    clock.advance(59_000);
    const id = ids.issue(IP).slice();
    clock.advance(MINUTE_MS);
    expect(ids.accepts(id, IP)).toBe(true);
    clock.advance(MINUTE_MS);
    expect(ids.accepts(id, IP)).toBe(false);
    clock.advance(254 * MINUTE_MS);
    expect(ids.accepts(id, IP)).toBe(false);
  });

  test('cannot be made without the secret', () => {
    const ids = new KeyedConnectionIds(new FakeClock());
    const forged = new KeyedConnectionIds(new FakeClock()).issue(IP);
    expect(ids.accepts(forged, IP)).toBe(false);
    for (const id of [new Uint8Array(8), utf8(''), fromHex('0000041727101980')])
      expect(ids.accepts(id, IP)).toBe(false);
  });
});

describe('packets', () => {
  test('of a stranger never get an answer larger than themselves', () => {
    const { tracker: udp, registry } = tracker();
    const forged = new Uint8Array(8);
    const scrape = codec.encodeUdpRequest({
      type: 'scrape',
      transactionId: 7,
      connectionId: forged,
      swarmKeys: [KNOWN],
    });
    for (const packet of [CONNECT, announce(forged), scrape])
      expect(udp.answer(packet, IP, 1)?.length).toBeLessThanOrEqual(packet.length);
    expect(registry.swarmCount).toBe(0);
  });

  test.each([
    ['nothing', utf8('')],
    ['15 bytes', CONNECT.subarray(0, 15)],
    ['an announce cut short', announce(new Uint8Array(8)).subarray(0, 90)],
    ['an unknown action', new Uint8Array(16).fill(9)],
  ])('that are malformed (%s) get none', (_, packet) => {
    expect(tracker().tracker.answer(packet, IP, 1)).toBeUndefined();
  });

  test('of a known peer are answered with peers of their family', () => {
    const { tracker: udp } = tracker();
    const v6 = parseIp('2001:db8::1');
    udp.answer(announce(connect(udp)), IP, 1);
    udp.answer(announce(connect(udp, v6)), v6, 1);
    const answer = udp.answer(announce(connect(udp, OTHER_IP), { port: 0 }), OTHER_IP, 4_321) ?? utf8('');
    expect(codec.decodeUdpAnnounceAnswer(answer, 'v4')).toMatchObject({
      leechers: 3,
      peers: [{ host: '192.0.2.1', port: 6881 }],
    });
    const again = udp.answer(announce(connect(udp)), IP, 1) ?? utf8('');
    expect(codec.decodeUdpAnnounceAnswer(again, 'v4')).toMatchObject({ peers: [{ host: '192.0.2.2', port: 4_321 }] });
  });

  test('about a foreign torrent are refused with a reason', () => {
    const { tracker: udp } = tracker();
    const answer = udp.answer(announce(connect(udp), { swarmKey: FOREIGN }), IP, 1) ?? utf8('');
    expect(codec.decodeUdpAnnounceAnswer(answer, 'v4')).toEqual({
      kind: 'failure',
      reason: 'this torrent is not tracked here',
    });
  });

  test('that scrape get counts in the order they asked', () => {
    const { tracker: udp } = tracker();
    const connectionId = connect(udp);
    udp.answer(announce(connectionId), IP, 1);
    const scrape = codec.encodeUdpRequest({
      type: 'scrape',
      transactionId: 7,
      connectionId,
      swarmKeys: [FOREIGN, KNOWN],
    });
    expect(codec.decodeUdpScrapeAnswer(udp.answer(scrape, IP, 1) ?? utf8(''))).toEqual({
      kind: 'answer',
      counts: [
        { seeders: 0, leechers: 0, completed: 0 },
        { seeders: 0, leechers: 1, completed: 0 },
      ],
    });
  });
});

/** Sends one UDP datagram from port 0, which the ordinary socket calls cannot. */
const FROM_PORT_ZERO = `
import socket, struct, sys
packet = bytes.fromhex(sys.argv[2])
udp = struct.pack('!HHHH', 0, int(sys.argv[1]), 8 + len(packet), 0) + packet
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).sendto(udp, ('127.0.0.1', 0))
`;

test('a packet from port 0, which cannot be answered, is dropped', async (context) => {
  requireAll(context, 'root', 'python3');
  const server = await UdpServer.start({ tracker: tracker().tracker, log: silentLog, host: '127.0.0.1', port: 0 });
  const client = createSocket('udp4');
  try {
    execFileSync('/usr/bin/python3', ['-c', FROM_PORT_ZERO, String(server.port), toHex(CONNECT)], { timeout: 10_000 });
    client.send(CONNECT, server.port, '127.0.0.1');
    const [answer] = (await once(client, 'message')) as [Buffer];
    expect(answer).toHaveLength(16);
  } finally {
    client.close();
    await server.stop();
  }
});

describe.each(['127.0.0.1', '::1'])('over a real socket on %s', (host) => {
  let server: UdpServer;
  let client: Socket;

  beforeEach(async () => {
    server = await UdpServer.start({ tracker: tracker().tracker, log: silentLog, host, port: 0 });
    client = createSocket(host === '::1' ? 'udp6' : 'udp4');
    client.connect(server.port, host);
    await once(client, 'connect');
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  async function ask(packet: Uint8Array): Promise<Buffer> {
    client.send(packet);
    const [answer] = (await once(client, 'message')) as [Buffer];
    return answer;
  }

  test('a peer connects and announces', async () => {
    const answer = codec.decodeUdpConnectAnswer(await ask(CONNECT));
    expect(answer.kind).toBe('answer');
    const connectionId = answer.kind === 'answer' ? answer.connectionId : utf8('');
    expect(codec.decodeUdpAnnounceAnswer(await ask(announce(connectionId)), 'v4')).toMatchObject({ leechers: 1 });
    expect(server.droppedSends).toBe(0);
  });

  test('rubbish is survived', async () => {
    client.send(utf8('rubbish'));
    expect(await ask(CONNECT)).toHaveLength(16);
  });

  test('a packet that fails us is logged, and the next one is answered', async () => {
    const { port } = server;
    await server.stop();
    const events: string[] = [];
    let isBroken = true;
    const { tracker: sound } = tracker();
    server = await UdpServer.start({
      tracker: {
        answer: (...args) => {
          if (!isBroken) return sound.answer(...args);
          isBroken = false;
          throw new StorageFailed('the database is away');
        },
      },
      log: { ...silentLog, error: (event) => events.push(event) },
      host,
      port,
    });
    client.send(CONNECT);
    expect(await ask(CONNECT)).toHaveLength(16);
    expect(events).toEqual(['udp_tracker.packet_failed']);
  });

  test('a taken port is a clear error, and stopping twice is one stop', async () => {
    const options = { tracker: tracker().tracker, log: silentLog, host, port: server.port };
    await expect(UdpServer.start(options)).rejects.toThrow(Unavailable);
    await expect(UdpServer.start(options, AbortSignal.abort())).rejects.toThrow(Cancelled);
    const { port } = server;
    await Promise.all([server.stop(), server.stop()]);
    server = await UdpServer.start({ ...options, port });
  });
});
