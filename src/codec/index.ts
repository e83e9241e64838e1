/** BitTorrent's formats, pure and browser-safe: bytes in, typed values out, typed errors only. */
export * from './bencode.ts';
export * from './bitfield.ts';
export * from './compact-peers.ts';
export * from './extension.ts';
export * from './handshake.ts';
export * from './mse.ts';
export * from './mse-handshake.ts';
export * from './peer-id.ts';
export * from './wire-encode.ts';
export * from './wire-hashes.ts';
export * from './wire.ts';
export * from './canonical.ts';
export * from './display-name.ts';
export * from './magnet.ts';
export * from './make-info.ts';
export * from './merkle.ts';
export * from './metainfo.ts';
export * from './piece-layers.ts';
export * from './torrent-files.ts';
export * from './torrent-info.ts';
export * from './torrent-links.ts';
export * from './torrent-source.ts';
export * from './announce.ts';
export * from './tracker-http.ts';
export * from './tracker-udp.ts';
export * from './tracker-ws.ts';
export {
  type InfoHash,
  type InfoHashV1,
  type InfoHashV2,
  parseInfoHash,
  parseInfoHashV1,
  parseInfoHashV2,
  parseSwarmKey,
  type SwarmKey,
  swarmKeyOf,
} from '../base/ids.ts';
