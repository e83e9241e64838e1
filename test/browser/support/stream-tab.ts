/** A tab that answers the service worker's offers from made-up content, as the leading tab's worker does from a swarm. */
import type { StreamOffer, StreamReply, StreamRequest } from '../../../web/src/swarm/stream-protocol.ts';
import { takeServiceWorker } from '../../../web/src/swarm/service-worker-link.ts';
import { systemClock } from '../../../src/base/clock.ts';

export { systemClock, takeServiceWorker };

export const SIZE_BYTES = 5_000_000;
const CHUNK_BYTES = 65_536;

/** The byte at a position of the content. */
export const byteAt = (position: number): number => (position * 7 + (position >> 8)) & 0xff;

export interface Heard {
  readonly reads: string[];
  cancels: number;
}

/** Controls the page, answers every stream; resolves with what the streams asked for, filled as they go. */
export async function answerStreams(): Promise<Heard> {
  const heard: Heard = { reads: [], cancels: 0 };
  navigator.serviceWorker.addEventListener('message', ({ data: offer }: MessageEvent<StreamOffer>) =>
    answerStream(offer.port, heard),
  );
  navigator.serviceWorker.startMessages();
  if (!(await takeServiceWorker(systemClock))) throw new Error('no service worker took control');
  return heard;
}

function answerStream(port: MessagePort, heard: Heard): void {
  const say = (reply: StreamReply, transfer: Transferable[] = []): void => port.postMessage(reply, transfer);
  let at = 0;
  let end = 0;
  port.addEventListener('message', ({ data: request }: MessageEvent<StreamRequest>) => {
    if (request.kind === 'cancel') heard.cancels++;
    if (request.kind === 'read') {
      heard.reads.push(`${request.start}-${request.endExclusive}`);
      at = request.start;
      end = request.endExclusive;
    }
    if (request.kind !== 'pull') return;
    const from = at;
    at = Math.min(end, at + CHUNK_BYTES);
    const bytes = Uint8Array.from({ length: at - from }, (_, index) => byteAt(from + index));
    say({ kind: 'bytes', bytes: bytes.buffer }, [bytes.buffer]);
  });
  port.start();
  say({ kind: 'opened', sizeBytes: SIZE_BYTES, type: 'video/mp4' });
}

/** Whether the bytes are the content from `start` on. */
export function isContent(bytes: Uint8Array, start: number): boolean {
  return bytes.every((byte, index) => byte === byteAt(start + index));
}
