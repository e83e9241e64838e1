/** BitTorrent's formats, pure and browser-safe: bytes in, typed values out, typed errors only. */
export * from './bencode.ts';
export * from './bitfield.ts';
export * from './compact-peers.ts';
export * from './extension.ts';
export * from './handshake.ts';
export * from './peer-id.ts';
export * from './wire-encode.ts';
export * from './wire-hashes.ts';
export * from './wire.ts';
export * from './canonical.ts';
export * from './display-name.ts';
export * from './magnet.ts';
export * from './metainfo.ts';
export * from './torrent-files.ts';
export * from './torrent-info.ts';
