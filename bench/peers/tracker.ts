/** Our tracker alone, for the tracker bench: HTTP and WebSocket on one port, UDP on another. Prints `READY <http> <udp>`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { KeyedConnectionIds } from '../../src/adapters/udp-tracker/connection-ids.ts';
import { UdpServer } from '../../src/adapters/udp-tracker/udp-server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { latinIdOf } from '../../src/codec/tracker-ws.ts';
import { HttpTracker } from '../../src/tracker/http.ts';
import { SwarmRegistry } from '../../src/tracker/registry.ts';
import { SignalHub } from '../../src/tracker/signal-hub.ts';
import { UdpTracker } from '../../src/tracker/udp.ts';

const HOST = '127.0.0.1';
const UNLIMITED = { capacity: 1e9, perSecond: 1e9 };

const registry = new SwarmRegistry({
  clock: systemClock,
  admission: { admits: () => true },
  ownSeed: { addressFor: () => undefined },
});
const hub = new SignalHub({
  registry,
  clock: systemClock,
  ownPeerId: latinIdOf(createPeerId()),
  limits: { messages: UNLIMITED, maxSwarmsPerSocket: 1e6 },
});
const tracker = new HttpTracker(registry);
const http = createServer((request, response) => {
  const query = request.url?.split('?')[1] ?? '';
  response.end(tracker.announce(query, request.socket.remoteAddress ?? HOST));
});
new WebSocketServer({ server: http }).on('connection', (socket, request) => {
  const session = hub.connect({
    remoteHost: request.socket.remoteAddress ?? HOST,
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send: (text) => socket.send(text),
    close: (code, reason) => socket.close(code, reason),
  });
  socket.on('message', (data: Buffer) => session.receive(data.toString('utf8')));
  socket.on('close', () => session.closed());
});
const udpTracker = new UdpTracker(registry, new KeyedConnectionIds(systemClock));
const udp = await UdpServer.start({ tracker: udpTracker, log: silentLog, host: HOST, port: 0 });
http.listen(0, HOST, () => console.log(`READY ${(http.address() as AddressInfo).port} ${udp.port}`));
process.once('SIGTERM', () => process.exit(0));
