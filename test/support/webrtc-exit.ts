/** A program that meets itself over WebRTC, makes offers that nobody answers, stops, and must then end by itself. */
import { RtcAnswerer } from '../../src/adapters/webrtc/answerer.ts';
import { RtcOfferer } from '../../src/adapters/webrtc/offerer.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { PeerSocket } from '../../src/torrent/ports.ts';

const base = { iceServers: [], clock: systemClock, log: silentLog };
const answerer = new RtcAnswerer({ ...base, accept: (socket) => socket.write(Uint8Array.of(1)) });
const offerer = new RtcOfferer(base);
await Promise.all(Array.from({ length: 3 }, () => offerer.offer(new AbortController().signal, () => true)));
const socket = await meet();
await new Promise<void>((resolve) =>
  socket.listen({ received: () => resolve(), drained: () => undefined, closed: () => undefined }),
);
await Promise.all([answerer.stop(), offerer.stop()]);

process.stdout.write('met and stopped\n');

async function meet(): Promise<PeerSocket> {
  for (;;) {
    const offer = await offerer.offer(new AbortController().signal, () => true);
    const sink = { answer: (sdp: string) => offer.acceptAnswer(sdp), candidate: () => undefined };
    answerer.answer({ sdp: offer.sdp, trickle: false, allows: () => true }, sink);
    const made = await offer.socket.catch(() => undefined); // made again, see offerer.ts
    if (made !== undefined) return made;
  }
}
