/** A dedicated worker that is given one end of a data channel (or its relay) and sends back every byte, with back-pressure. */
import { ChannelSocket } from '../../../src/adapters/browser/channel-socket.ts';
import { RelayedChannel } from '../../../src/adapters/browser/relayed-channel.ts';

type Given = { readonly channel: RTCDataChannel } | { readonly port: MessagePort };

globalThis.addEventListener('message', ({ data: given }: MessageEvent<Given>) => {
  const socket = new ChannelSocket('channel' in given ? given.channel : new RelayedChannel(given.port));
  socket.listen({
    received: (bytes) => {
      if (!socket.write(bytes.slice())) socket.pause();
    },
    drained: () => socket.resume(),
    closed: () => globalThis.postMessage('closed'),
  });
  // Written before the channel is open: must leave first.
  socket.write(new TextEncoder().encode('hello'));
});
