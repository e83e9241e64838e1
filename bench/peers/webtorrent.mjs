/**
 * WebTorrent as a peer over TCP, alone: no DHT, no tracker, no discovery.
 *
 *     seed <torrent> <folder> <host:port>      prints READY
 *     leech <torrent> <folder> <host:port of the seeder>
 *                                              prints READY, waits for a line, prints DONE <s> <s to the first byte>
 *     restart <folder of torrents> <folder of data>
 *                                              prints DONE <seconds> when all torrents are ready
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import WebTorrent from 'webtorrent';

const [mode, source, folder, address = ''] = process.argv.slice(2);
const alone = { dht: false, lsd: false, natUpnp: false, natPmp: false, utp: false, tracker: false, secure: 0 };
const torrentPort = mode === 'seed' ? Number(address.split(':')[1]) : 0;
const client = new WebTorrent({ ...alone, torrentPort });
client.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
process.once('SIGTERM', () => process.exit(0));
const seconds = (sinceMs) => ((performance.now() - sinceMs) / 1000).toFixed(4);

if (mode === 'seed') client.add(readFileSync(source), { path: folder, skipVerify: true }, () => console.log('READY'));

if (mode === 'leech') {
  client.add(readFileSync(source), { path: folder }, (torrent) => {
    createInterface(process.stdin).once('line', () => {
      const startedAtMs = performance.now();
      let first = 0;
      torrent.addPeer(address);
      torrent.once('download', () => (first = seconds(startedAtMs)));
      torrent.once('done', () => console.log(`DONE ${seconds(startedAtMs)} ${first}`));
    });
    console.log('READY');
  });
}

if (mode === 'restart') {
  const files = readdirSync(source);
  await new Promise((resolve) => client.once('ready', resolve));
  const startedAtMs = performance.now();
  let ready = 0;
  for (const file of files) {
    client.add(readFileSync(path.join(source, file)), { path: folder }, () => {
      if (++ready === files.length) console.log(`DONE ${seconds(startedAtMs)} ${ready}`);
    });
  }
}
