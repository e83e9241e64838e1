import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { peerSocketContract, type SocketPair, SocketWitness } from '../../../test/contracts/peer-socket.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { freePort } from '../../../test/support/free-port.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import { systemClock } from '../../base/clock.ts';
import { InvalidInput, TimedOut, Unavailable } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { KIB } from '../../base/units.ts';
import type { IceCandidate } from '../../codec/tracker-ws.ts';
import type { PeerAddress, PeerSocket } from '../../torrent/ports.ts';
import { type Answering, RtcAnswerer, type RtcAnswererOptions } from './answerer.ts';
import { HOLD_CANDIDATES_MS } from './connection.ts';
import { guardWith } from './guard.ts';
import { RtcOfferer, type RtcOffererOptions } from './offerer.ts';
import { nativeIceServer, splitDescription } from './signals.ts';

const never = new AbortController().signal;
/** Everything may be named: both ends are ours. */
const allows = (): boolean => true;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

function offerer(options: Partial<RtcOffererOptions> = {}): RtcOfferer {
  const made = new RtcOfferer({ iceServers: [], clock: systemClock, log: silentLog, ...options });
  stops.push(() => made.stop());
  return made;
}

/** A UDP port that counts what comes. */
async function udpEar(): Promise<{ readonly port: number; readonly heard: () => number }> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let packets = 0;
  socket.on('message', () => packets++);
  stops.push(async () => {
    const closed = once(socket, 'close');
    socket.close();
    await closed;
  });
  return { port: socket.address().port, heard: () => packets };
}

interface Answers {
  readonly answerer: RtcAnswerer;
  readonly accepted: Promise<PeerSocket>;
}

function answerer(options: Partial<RtcAnswererOptions> = {}): Answers {
  const accepted = Promise.withResolvers<PeerSocket>();
  const accept = accepted.resolve;
  const made = new RtcAnswerer({ iceServers: [], clock: systemClock, log: silentLog, accept, ...options });
  stops.push(() => made.stop());
  return { answerer: made, accepted: accepted.promise };
}

/** Brings two ends together as a tracker would: an offer that fails (see offerer.ts) is made again. */
async function meet(from: RtcOfferer, to: RtcAnswerer, trickle: boolean): Promise<PeerSocket> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await meetOnce(from, to, trickle);
    } catch (error) {
      if (!(error instanceof Unavailable) || attempt === 5) throw error;
    }
  }
}

async function meetOnce(from: RtcOfferer, to: RtcAnswerer, trickle: boolean): Promise<PeerSocket> {
  let answering: Answering | undefined;
  const early: IceCandidate[] = [];
  const send = (candidate: IceCandidate): void => {
    if (answering === undefined) early.push(candidate);
    else answering.addCandidate(candidate);
  };
  const offer = await from.offer(never, allows, trickle ? send : undefined);
  answering = to.answer(
    { sdp: offer.sdp, trickle, allows },
    { answer: (sdp) => offer.acceptAnswer(sdp), candidate: (candidate) => offer.addCandidate(candidate) },
  );
  for (const candidate of early) answering.addCandidate(candidate);
  return offer.socket;
}

async function pairOf(trickle: boolean, swapped: boolean): Promise<SocketPair> {
  const from = offerer();
  const to = answerer();
  const [offered, answered] = await Promise.all([meet(from, to.answerer, trickle), to.accepted]);
  return {
    near: swapped ? answered : offered,
    far: swapped ? offered : answered,
    stop: async () => {
      await Promise.all([from.stop(), to.answerer.stop()]);
    },
  };
}

peerSocketContract('webrtc, offering end', () => pairOf(true, false));
peerSocketContract('webrtc, answering end', () => pairOf(false, true));

describe('a WebRTC meeting', () => {
  test('a stock peer gets one description with candidates in it, and no candidate after', async () => {
    const offer = await offerer().offer(never, allows);
    expect(offer.sdp).toMatch(/^a=candidate:/m);
    const answers: string[] = [];
    const candidates: IceCandidate[] = [];
    answerer().answerer.answer(
      { sdp: offer.sdp, trickle: false, allows },
      { answer: (sdp) => void answers.push(sdp), candidate: (candidate) => void candidates.push(candidate) },
    );
    await eventually('the answer', () => answers.length > 0);
    expect(answers[0]).toMatch(/^a=candidate:/m);
    expect(candidates).toEqual([]);
  });

  test('one complete description says that no candidate will follow, whoever makes it', async () => {
    const offer = await offerer().offer(never, allows);
    const answers: string[] = [];
    const sink = { answer: (sdp: string) => void answers.push(sdp), candidate: () => undefined };
    answerer().answerer.answer({ sdp: offer.sdp, trickle: false, allows }, sink);
    await eventually('the answer', () => answers.length > 0);
    for (const sdp of [offer.sdp, ...answers]) expect(sdp.match(/^a=end-of-candidates\r?$/gm)).toHaveLength(1);
  });

  test('thirty in a row between Seedbeds come about at the first try', async () => {
    const [from, to] = [offerer(), answerer()];
    for (let at = 0; at < 30; at++) (await meetOnce(from, to.answerer, at % 2 === 0)).close();
  });

  test('an offerer of our library is left to speak first, others are spoken to at once', async () => {
    const clock = new FakeClock();
    const { answerer: to } = answerer({ clock, bindAddress: '127.0.0.1' });
    const { sdp } = await offerer({ bindAddress: '127.0.0.1' }).offer(never, allows);
    const [ours, stock] = [await udpEar(), await udpEar()];
    const offerTo = (port: number, origin: string): void => {
      const offered = sdp.replace(/^(a=candidate:.* 127\.0\.0\.1) \d+/m, `$1 ${port}`).replace(/^o=rtc /m, origin);
      to.answer({ sdp: offered, trickle: true, allows }, { answer: () => undefined, candidate: () => undefined });
    };
    offerTo(ours.port, 'o=rtc ');
    offerTo(stock.port, 'o=- ');
    await eventually(
      'the stock peer is called',
      () => {
        clock.advance(1); // candidates are offered to the library again and again, until its transport is there
        return stock.heard() >= 3;
      },
      { intervalMs: 20 },
    );
    expect(ours.heard()).toBe(0);
    clock.advance(HOLD_CANDIDATES_MS);
    await eventually(
      'ours is called in the end',
      () => {
        clock.advance(1);
        return ours.heard() > 0;
      },
      { intervalMs: 20 },
    );
  });

  test('a peer that trickles gets the description first and candidates after', async () => {
    const candidates: IceCandidate[] = [];
    const offer = await offerer().offer(never, allows, (candidate) => candidates.push(candidate));
    expect(offer.sdp).not.toMatch(/^a=candidate:/m);
    await eventually('a candidate', () => candidates.length > 0);
    expect(candidates.every(({ candidate }) => candidate.startsWith('candidate:'))).toBe(true);
  });

  test('many peers share one UDP port', async () => {
    const port = await freePort('0.0.0.0');
    const sockets: PeerSocket[] = [];
    const to = answerer({ udpPort: port, accept: (socket) => sockets.push(socket) });
    const offered = await Promise.all(Array.from({ length: 8 }, () => meet(offerer(), to.answerer, true)));
    expect(offered.map((socket) => socket.remote?.port)).toEqual(Array.from({ length: 8 }, () => port));
    await eventually('all accepted', () => sockets.length === 8);
  });

  test('an offer whose only candidates are mDNS names is answered and connects', async () => {
    const from = offerer();
    const to = answerer();
    const offer = await from.offer(never, allows);
    let named = 0;
    const hidden = offer.sdp.replace(/^(a=candidate:\S+ \d+ \S+ \d+) \S+/gm, (_line, head: string) => {
      named++;
      return `${head} 6a1f0b6e-1111-4222-8333-944455566677.local`;
    });
    expect(named).toBeGreaterThan(0);
    const sink = { answer: (sdp: string) => offer.acceptAnswer(sdp), candidate: () => undefined };
    const answering = to.answerer.answer({ sdp: hidden, trickle: false, allows }, sink);
    answering.addCandidate({ candidate: 'candidate:1 1 UDP 2122317823 abc.local 5000 typ host', sdpMid: '0' });
    await offer.socket;
    const echo = new SocketWitness(await offer.socket);
    (await to.accepted).write(Uint8Array.of(5));
    await echo.until(() => echo.receivedBytes === 1);
  });

  test('the end that goes away is noticed by the other', async () => {
    const from = offerer();
    const to = answerer();
    const [, answered] = await Promise.all([meet(from, to.answerer, true), to.accepted]);
    const witness = new SocketWitness(answered);
    await from.stop();
    await witness.until(() => witness.closings.length > 0);
    await eventually('the slot is free', () => to.answerer.connections === 0);
  });

  test.each([
    ['', 'no SDP'],
    ['v=0\r\nnonsense', 'not a description'],
    ['x'.repeat(40 * KIB), 'far too long'],
  ])('a broken offer is refused and leaves nothing behind: %#', async (sdp) => {
    const { answerer: to } = answerer();
    expect(() =>
      to.answer({ sdp, trickle: true, allows }, { answer: () => undefined, candidate: () => undefined }),
    ).toThrow(InvalidInput);
    await eventually('the slot is free', () => to.connections === 0);
  });

  test('offers above the cap are refused with a typed error', async () => {
    const { answerer: to } = answerer({ maxConnections: 1 });
    const offer = await offerer().offer(never, allows);
    const sink = { answer: () => undefined, candidate: () => undefined };
    to.answer({ sdp: offer.sdp, trickle: false, allows }, sink);
    expect(() => to.answer({ sdp: offer.sdp, trickle: false, allows }, sink)).toThrow(Unavailable);
  });

  test('an offer that nobody answers ends at its time limit and gives its slot back', async () => {
    const clock = new FakeClock();
    const from = offerer({ clock });
    const offer = await from.offer(never, allows, () => undefined);
    expect(from.connections).toBe(1);
    clock.advance(30_000);
    await expect(offer.socket).rejects.toBeInstanceOf(TimedOut);
    expect(from.connections).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('an aborted offer rejects', async () => {
    const controller = new AbortController();
    const offering = offerer().offer(controller.signal, allows);
    controller.abort();
    await expect(offering).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('after stop nothing keeps the process alive', { timeout: 20_000 }, async () => {
    const program = path.join(import.meta.dirname, '../../../test/support/webrtc-exit.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 15_000 });
    expect(stdout.trim()).toBe('met and stopped');
  });
});

describe('addresses that a peer names', () => {
  /** A description of a peer whose one address is ours to choose, and whom it may be said to have none. */
  async function described(): Promise<string> {
    const { sdp } = await offerer().offer(never, allows);
    const lines = sdp.split('\r\n').filter((line) => !/^a=(candidate:|end-of-candidates)/.test(line));
    return lines.join('\r\n').replace(/^o=rtc /m, 'o=- ');
  }

  const at = (port: number): string => `candidate:1 1 UDP 2122317823 127.0.0.1 ${port} typ host`;
  const sink = { answer: () => undefined, candidate: () => undefined };

  /** Each way in which a peer names an address of ours to `answerer` or `offerer`. */
  const ways: [string, (port: number, allowed: (address: PeerAddress) => boolean) => Promise<void>][] = [
    [
      'in an offer',
      async (port, allowed) => {
        const sdp = `${await described()}a=${at(port)}\r\n`;
        answerer().answerer.answer({ sdp, trickle: true, allows: allowed }, sink);
      },
    ],
    [
      'after an offer',
      async (port, allowed) => {
        const answering = answerer().answerer.answer({ sdp: await described(), trickle: true, allows: allowed }, sink);
        answering.addCandidate({ candidate: at(port), sdpMid: '0' });
      },
    ],
    [
      'in an answer',
      async (port, allowed) => {
        const offer = await offerer().offer(never, allowed);
        offer.acceptAnswer(await answerTo(offer.sdp, port));
      },
    ],
    [
      'after an answer',
      async (port, allowed) => {
        const offer = await offerer().offer(never, allowed, () => undefined);
        offer.acceptAnswer(await answerTo(offer.sdp));
        offer.addCandidate({ candidate: at(port), sdpMid: '0' });
      },
    ],
  ];

  async function answerTo(offerSdp: string, port?: number): Promise<string> {
    const answered = Promise.withResolvers<string>();
    const deaf = { sdp: offerSdp, trickle: true, allows: () => false };
    answerer().answerer.answer(deaf, { ...sink, answer: answered.resolve });
    const sdp = await answered.promise;
    return port === undefined ? sdp : `${sdp}a=${at(port)}\r\n`;
  }

  test.each(ways)('%s get packets only where they may be named', async (_way, name) => {
    const policy = new AddressPolicy();
    const asked: PeerAddress[] = [];
    const [refused, control] = [await udpEar(), await udpEar()];
    await name(refused.port, (address) => {
      asked.push(address);
      return policy.allowsPeer(address, 'told');
    });
    await name(control.port, (address) => policy.allowsPeerFrom('127.0.0.1', address));
    await eventually('an address that may be named is called', () => control.heard() >= 2);
    expect(asked).toContainEqual({ host: '127.0.0.1', port: refused.port });
    expect(refused.heard()).toBe(0);
  });
});

describe('what reaches the native library', () => {
  test('an exception in a callback is logged and goes no further', () => {
    const logged: unknown[] = [];
    const guard = guardWith({ ...silentLog, error: (event, fields) => logged.push([event, fields?.['callback']]) });
    const callback = guard('open', (count: number) => {
      throw new Error(`number ${count}`);
    });
    expect(() => callback(3)).not.toThrow();
    expect(logged).toEqual([['webrtc.callback_failed', 'open']]);
  });

  test('candidates leave a description with their section, and nothing else does', () => {
    const candidate = 'candidate:1 1 UDP 1 93.184.215.14 9 typ host';
    const text = ['v=0', 's=-', 'm=application 9', `a=${candidate}`, 'a=mid:data', 'a=end-of-candidates', ''];
    const split = splitDescription(text.join('\r\n'));
    expect(split.sdp.split('\r\n')).toEqual(['v=0', 's=-', 'm=application 9', 'a=mid:data', '']);
    expect(split.candidates).toEqual([{ candidate, sdpMid: 'data' }]);
  });

  test.each([
    [{ urls: 'stun:stun.example' }, { hostname: 'stun.example', port: 3478 }],
    [{ urls: 'stun:[2001:db8::1]:5000' }, { hostname: '2001:db8::1', port: 5000 }],
    [
      { urls: 'turn:t.example:3479?transport=tcp', username: 'u', credential: 'c' },
      { hostname: 't.example', port: 3479, username: 'u', password: 'c', relayType: 'TurnTcp' },
    ],
    [{ urls: 'turns:t.example' }, { hostname: 't.example', port: 5349, relayType: 'TurnTls' }],
  ])('the ICE server %o is understood', (server, native) => {
    expect(nativeIceServer(server)).toEqual(native);
  });

  test.each(['http://t.example', 'stun:', 'stun:a b', 'turn:h:99999999'])('%s is no ICE server', (urls) => {
    expect(() => nativeIceServer({ urls })).toThrow(InvalidInput);
  });
});
