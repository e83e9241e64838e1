/**
 * For browsers that cannot transfer data channels to workers: the page keeps the channel and relays its messages over
 * a MessagePort, and the worker sees the far end as a `ByteChannel`. Bytes are moved, not copied, in both directions;
 * `bufferedAmount` counts what the page has not yet confirmed.
 */
import { onArrayBuffer } from '../../base/bytes.ts';
import type { ByteChannel } from './byte-channel.ts';

type ToWorker =
  | { readonly kind: 'open' }
  | { readonly kind: 'bytes'; readonly bytes: ArrayBuffer }
  /** What the real channel still holds, of everything the worker has sent up to `takenBytes`. */
  | { readonly kind: 'sent'; readonly takenBytes: number; readonly bufferedBytes: number }
  | { readonly kind: 'closed' };

type ToPage = { readonly kind: 'bytes'; readonly bytes: ArrayBuffer } | { readonly kind: 'close' };

/** The worker's end. */
export class RelayedChannel extends EventTarget implements ByteChannel {
  binaryType = 'arraybuffer';
  bufferedAmountLowThreshold = 0;
  readonly #port: MessagePort;
  #readyState: ByteChannel['readyState'] = 'connecting';
  #givenBytes = 0;
  #takenBytes = 0;
  #bufferedBytes = 0;

  constructor(port: MessagePort) {
    super();
    this.#port = port;
    port.addEventListener('message', (event: MessageEvent<ToWorker>) => this.#hear(event.data));
    port.start();
  }

  get readyState(): ByteChannel['readyState'] {
    return this.#readyState;
  }

  get bufferedAmount(): number {
    return this.#givenBytes - this.#takenBytes + this.#bufferedBytes;
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#readyState !== 'open') throw new DOMException('the channel is not open', 'InvalidStateError');
    const copy = bytes.slice().buffer;
    this.#givenBytes += copy.byteLength;
    this.#tell({ kind: 'bytes', bytes: copy }, [copy]);
  }

  close(): void {
    if (this.#readyState === 'closed') return;
    this.#tell({ kind: 'close' });
    this.#end();
  }

  #tell(message: ToPage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #hear(message: ToWorker): void {
    if (this.#readyState === 'closed') return;
    switch (message.kind) {
      case 'open':
        this.#readyState = 'open';
        this.dispatchEvent(new Event('open'));
        return;
      case 'bytes':
        this.dispatchEvent(new MessageEvent('message', { data: message.bytes }));
        return;
      case 'sent':
        this.#sent(message.takenBytes, message.bufferedBytes);
        return;
      case 'closed':
        this.#end();
    }
  }

  #sent(takenBytes: number, bufferedBytes: number): void {
    const before = this.bufferedAmount;
    this.#takenBytes = takenBytes;
    this.#bufferedBytes = bufferedBytes;
    const isLow = this.bufferedAmount <= this.bufferedAmountLowThreshold;
    if (isLow && before > this.bufferedAmountLowThreshold) this.dispatchEvent(new Event('bufferedamountlow'));
  }

  #end(): void {
    this.#readyState = 'closed';
    this.#port.close();
    this.dispatchEvent(new Event('close'));
  }
}

/** The page's end: relays `channel` over `port` until either closes. */
export function relayChannel(channel: ByteChannel, port: MessagePort, resumeBytes: number): void {
  let takenBytes = 0;
  const tell = (message: ToWorker, transfer: Transferable[] = []): void => port.postMessage(message, transfer);
  const confirm = (): void => tell({ kind: 'sent', takenBytes, bufferedBytes: channel.bufferedAmount });
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = resumeBytes;
  channel.addEventListener('open', () => tell({ kind: 'open' }));
  channel.addEventListener('message', (event) => {
    const bytes: unknown = event instanceof MessageEvent ? event.data : undefined;
    if (bytes instanceof ArrayBuffer) tell({ kind: 'bytes', bytes }, [bytes]);
    else channel.close();
  });
  channel.addEventListener('bufferedamountlow', confirm);
  channel.addEventListener('close', () => tell({ kind: 'closed' }));
  port.addEventListener('message', ({ data: message }: MessageEvent<ToPage>) => {
    if (message.kind === 'close') return channel.close();
    if (channel.readyState !== 'open') return;
    takenBytes += message.bytes.byteLength;
    channel.send(onArrayBuffer(new Uint8Array(message.bytes)));
    confirm();
  });
  port.start();
  if (channel.readyState === 'open') tell({ kind: 'open' });
}
