import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { ProtocolError, Unavailable } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { ChannelSocket, type UsedChannel } from './channel-socket.ts';
import { guardWith } from './guard.ts';

/** A channel that does nothing by itself; the test plays the native library. */
class ManualChannel implements UsedChannel {
  isGone = false;
  fail: (reason: string) => void = () => undefined;
  receive: (message: string | Buffer | ArrayBuffer) => void = () => undefined;

  setBufferedAmountLowThreshold(): void {}
  onBufferedAmountLow(): void {}
  onClosed(): void {}
  onError(callback: (reason: string) => void): void {
    this.fail = callback;
  }
  onMessage(callback: (message: string | Buffer | ArrayBuffer) => void): void {
    this.receive = callback;
  }
  maxMessageSize(): number {
    return 65_536;
  }
  bufferedAmount(): number {
    return 0;
  }
  sendMessageBinary(): boolean {
    if (this.isGone) throw new Error('DataChannel is closed');
    return true;
  }
}

test.each([
  { what: 'that fails is Unavailable', happens: (channel: ManualChannel) => channel.fail('lost'), error: Unavailable },
  {
    what: 'that is gone when bytes are written is Unavailable',
    happens: (channel: ManualChannel, socket: ChannelSocket) => {
      channel.isGone = true;
      socket.write(new Uint8Array(3));
    },
    error: Unavailable,
  },
  {
    what: 'that brings text is a broken protocol',
    happens: (channel: ManualChannel) => channel.receive('hello'),
    error: ProtocolError,
  },
])('a channel $what', async ({ happens, error }) => {
  const channel = new ManualChannel();
  const socket = new ChannelSocket(channel, {
    remote: undefined,
    clock: new FakeClock(),
    guard: guardWith(silentLog),
    release: () => undefined,
  });
  const cause = Promise.withResolvers<Error | undefined>();
  socket.listen({ received: () => undefined, drained: () => undefined, closed: cause.resolve });
  happens(channel, socket);
  expect(await cause.promise).toBeInstanceOf(error);
});
