/** A UDP socket of one family behind the DHT's port. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { PeerAddress } from '../../base/address.ts';
import { Unavailable } from '../../base/errors.ts';
import type { DatagramSocket } from '../../dht/ports.ts';

/** Bytes the system keeps for us while we are busy. */
const RECEIVE_BUFFER_BYTES = 256 * 1_024;

/** Binds an IP literal and port (0 = any). @throws Unavailable when it is taken */
export async function openUdpSocket(host: string, port: number): Promise<DatagramSocket> {
  const family = host.includes(':') ? 'v6' : 'v4';
  const socket = dgram.createSocket({
    type: family === 'v4' ? 'udp4' : 'udp6',
    ipv6Only: family === 'v6',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
  try {
    socket.bind(port, host);
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw new Unavailable('the DHT port cannot be opened', { host, port }, { cause: error });
  }
  socket.on('error', () => undefined); // what cannot be sent is lost, like any packet
  const { address, port: boundPort } = socket.address();
  return {
    family,
    address: { host: address, port: boundPort },
    listen: (received) =>
      void socket.on('message', (bytes, from) =>
        received(bytes, { host: from.address.split('%', 1).join(''), port: from.port } satisfies PeerAddress),
      ),
    send: (bytes, to) => socket.send(bytes, to.port, to.host, () => undefined),
    close: async () => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
