/** WebTorrent's browser build in a page: seeds a URL's bytes, or downloads a magnet link, through this site's tracker. */
import WebTorrent from './webtorrent.js'; // the site has it there

// Its default asks STUN servers of third parties.
const client = new WebTorrent({ tracker: { rtcConfig: { iceServers: [] } } });
const announce = [`${location.origin.replace('http', 'ws')}/announce`];

/** Resolves with the magnet link. */
export async function seed(url, pieceLength) {
  const file = new File([await (await fetch(url)).blob()], 'blob');
  return new Promise((resolve) => client.seed(file, { announce, pieceLength }, ({ magnetURI }) => resolve(magnetURI)));
}

/** Resolves with the seconds from the first byte on until everything is there. */
export function leech(magnet) {
  return new Promise((resolve) => {
    const torrent = client.add(magnet, { announce });
    let startMs = 0;
    torrent.once('download', () => (startMs = performance.now()));
    torrent.once('done', () => resolve((performance.now() - startMs) / 1000));
  });
}
