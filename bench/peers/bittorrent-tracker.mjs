/** Rival of the tracker bench: the stock server of the WebTorrent world. Prints `READY <http> <udp>`. */
import { Server } from 'bittorrent-tracker';

const server = new Server({ stats: false });
server.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
server.on('listening', () => console.log(`READY ${server.http.address().port} ${server.udp4.address().port}`));
server.listen({ http: 0, udp: 0 }, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' });
process.once('SIGTERM', () => process.exit(0));
