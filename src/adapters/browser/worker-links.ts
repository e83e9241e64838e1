/** The worker's end of the page's peer connections: each data channel becomes a socket for the engine. */
import type { SwarmKey } from '../../base/ids.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import type { ByteChannel } from './byte-channel.ts';
import { ChannelSocket } from './channel-socket.ts';
import type { LinkId, LinkMessage } from './link-messages.ts';
import { RelayedChannel } from './relayed-channel.ts';

export interface WorkerLinksPorts {
  /** Takes over the socket to a peer of that torrent, or closes it. */
  attach(key: SwarmKey, socket: PeerSocket): void;
  /** The socket is over; the page may let go of the connection. */
  done(link: LinkId): void;
}

export class WorkerLinks {
  readonly #ports: WorkerLinksPorts;
  readonly #links = new Map<LinkId, ChannelSocket>();

  constructor(ports: WorkerLinksPorts) {
    this.#ports = ports;
  }

  hear(message: LinkMessage): void {
    switch (message.kind) {
      case 'channel':
        return this.#connect(message.link, message.key, message.channel);
      case 'relay':
        return this.#connect(message.link, message.key, new RelayedChannel(message.port));
      case 'link-open':
        return this.#links.get(message.link)?.allowMessages(message.maxMessageBytes);
      case 'link-ended':
        return this.#links.get(message.link)?.close();
    }
  }

  #connect(link: LinkId, key: SwarmKey, channel: ByteChannel): void {
    const socket = new ChannelSocket(channel, () => {
      this.#links.delete(link);
      this.#ports.done(link);
    });
    this.#links.set(link, socket);
    this.#ports.attach(key, socket);
  }
}
