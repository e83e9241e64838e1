/** The film by our engine: a reader of the torrent. */
import { createEngine, fileStorage, parseAddress, readTorrent } from '../../support/engine.ts';
import type { OpenVideo } from '../viewer.ts';

export const openVideo: OpenVideo = async ({ torrentFile, folder, addresses, bytesPerSecond }) => {
  const { info, hashes, layers } = await readTorrent(torrentFile);
  const storage = fileStorage(info, folder, 'write');
  await storage.prepare();
  const torrent = createEngine().engine.add({ ...hashes, ...layers, info, storage, have: 'none', mode: 'on-demand' });
  return {
    connect: () => torrent.addPeers(addresses.map(parseAddress)),
    open: (start) => {
      const reader = torrent.read({ start, endExclusive: info.totalBytes, bytesPerSecond }).getReader();
      return {
        next: async () => (await reader.read()).value?.length ?? 0,
        leave: () => void reader.cancel(),
      };
    },
  };
};
