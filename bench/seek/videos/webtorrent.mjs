/** The film by WebTorrent: the iterator that its own streams stand on. Nothing is selected but what is read. */
import { readFileSync } from 'node:fs';
import WebTorrent from 'webtorrent';

const alone = { dht: false, lsd: false, natUpnp: false, natPmp: false, utp: false, tracker: false, secure: 0 };

export async function openVideo({ torrentFile, folder, addresses }) {
  const client = new WebTorrent({ ...alone, torrentPort: 0 });
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  const torrent = await new Promise((resolve) => {
    client.add(readFileSync(torrentFile), { path: folder, deselect: true }, resolve);
  });
  const [file] = torrent.files;
  return {
    connect: () => {
      for (const address of addresses) torrent.addPeer(address);
    },
    open: (start) => {
      const iterator = file[Symbol.asyncIterator]({ start });
      return {
        next: async () => (await iterator.next()).value?.length ?? 0,
        leave: () => iterator.destroy(),
      };
    },
  };
}
