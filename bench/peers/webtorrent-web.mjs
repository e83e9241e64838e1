/**
 * WebTorrent in Node as the only seeder of a megabyte for browsers, with its own WebSocket tracker at an interval of
 * 30 s. Prints `READY <magnet> <tracker>` and stays until it is ended.
 */
import { Server } from 'bittorrent-tracker';
import WebTorrent from 'webtorrent';

const INTERVAL_MS = 30_000;
const tracker = new Server({ udp: false, http: true, ws: true, stats: false, interval: INTERVAL_MS });
await new Promise((resolve) => tracker.listen(0, '127.0.0.1', resolve));
const announce = `ws://127.0.0.1:${tracker.http.address().port}`;
// Its default asks STUN servers of third parties.
const options = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: { rtcConfig: { iceServers: [] } } };
const client = new WebTorrent(options);
client.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
process.once('SIGTERM', () => process.exit(0));
const bytes = Buffer.alloc(1024 * 1024, 7);
bytes.name = 'megabyte';
client.seed(bytes, { announce: [announce] }, (torrent) => console.log(`READY ${torrent.magnetURI} ${announce}`));
