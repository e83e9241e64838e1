/** A program that meets itself over WebRTC, stops, and must then end by itself. */
import { RtcAnswerer } from '../../src/adapters/webrtc/answerer.ts';
import { RtcOfferer } from '../../src/adapters/webrtc/offerer.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';

const base = { iceServers: [], clock: systemClock, log: silentLog };
const answerer = new RtcAnswerer({ ...base, accept: (socket) => socket.write(Uint8Array.of(1)) });
const offerer = new RtcOfferer(base);
const offer = await offerer.offer(new AbortController().signal);
answerer.answer(
  { sdp: offer.sdp, trickle: false },
  { answer: (sdp) => offer.acceptAnswer(sdp), candidate: () => undefined },
);
const socket = await offer.socket;
await new Promise<void>((resolve) =>
  socket.listen({ received: () => resolve(), drained: () => undefined, closed: () => undefined }),
);
await Promise.all([answerer.stop(), offerer.stop()]);
process.stdout.write('met and stopped\n');
