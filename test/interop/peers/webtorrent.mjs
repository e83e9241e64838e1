/**
 * WebTorrent as an ordinary peer: over TCP where the torrent names HTTP or UDP trackers, over WebRTC where it names
 * WebSocket ones.
 *
 *     seed <torrent> <folder> <port> [secure]          prints READY
 *     leech <torrent|magnet> <folder> <port> [secure]  prints DONE when complete
 *
 * `secure` is WebTorrent's own number: 0 no encryption (the default here: its encrypted handshake has no plain fallback),
 * 1 encrypted handshake, 2 RC4 throughout.
 */
import { readFileSync } from 'node:fs';
import { RTCPeerConnection } from 'webrtc-polyfill';
import WebTorrent from 'webtorrent';

// The polyfill never reports the end of candidates, so that WebTorrent waits 5 s for each offer and answer: told here.
const setLocalDescription = Reflect.get(RTCPeerConnection.prototype, 'setLocalDescription');
RTCPeerConnection.prototype.setLocalDescription = async function tellingTheEnd(description) {
  await setLocalDescription.call(this, description);
  let isTold = false;
  const tell = () => {
    if (isTold || this.iceGatheringState !== 'complete') return;
    isTold = true;
    queueMicrotask(() => this.onicecandidate?.({ candidate: null }));
  };
  if (this.iceGatheringState === 'complete') setTimeout(tell, 0);
  else this.addEventListener('icegatheringstatechange', tell);
};

const say = (line) => process.stdout.write(`${line}\n`);
const [mode, source, folder, port, secure = '0'] = process.argv.slice(2);
const torrentId = source.startsWith('magnet:') ? source : readFileSync(source);
const client = new WebTorrent({
  dht: false,
  lsd: false,
  natUpnp: false,
  natPmp: false,
  utp: false,
  secure: Number(secure),
  torrentPort: Number(port),
  tracker: { rtcConfig: { iceServers: [] } },
});
client.on('error', (error) => {
  say(`failed: ${error.stack}`);
  process.exit(1);
});
process.once('SIGTERM', () => process.exit(0));
if (mode === 'seed') client.add(torrentId, { path: folder, skipVerify: true }, () => say('READY'));
else {
  const torrent = client.add(torrentId, { path: folder });
  torrent.on('warning', (warning) => say(warning));
  torrent.on('done', () => say('DONE'));
}
