/**
 * Ports for programs that cannot be told to choose one themselves. Servers of our own take port 0 instead: nobody can
 * steal that between the question and the answer.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

const ATTEMPTS = 50;

/** A port that was free for TCP and UDP on `host` a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const [port] = await freePorts(1, host);
  if (port === undefined) throw new Error('no free port');
  return port;
}

/** `count` different ports, each free for TCP and UDP on `host` a moment ago. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const held: net.Server[] = [];
  const ports: number[] = [];
  try {
    for (let attempt = 0; ports.length < count && attempt < count + ATTEMPTS; attempt++) {
      const server = net.createServer();
      held.push(server);
      server.listen(0, host);
      await once(server, 'listening');
      const { port } = server.address() as net.AddressInfo;
      if (await isFreeForUdp(port, host)) ports.push(port);
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
  if (ports.length < count) throw new Error(`no ${count} free ports on ${host}`);
  return ports;
}

async function isFreeForUdp(port: number, host: string): Promise<boolean> {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(port, host);
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
