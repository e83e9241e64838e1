/**
 * The engine in Node, ready to use:
 *
 *     await using node = await SwarmNode.open();                     // TCP and uTP both ways, WebRTC where the system has it
 *     const torrent = await addTorrent(node, 'magnet:?xt=…', { folder: 'downloads' });
 *     const { name, totalBytes } = await torrent.ready(signal);
 *     const film = torrent.file('film.mkv').read({ start, signal }); // a web stream; what is read comes first
 *
 *     const hashed = await hashFile('film.mkv', { signal });
 *     const { magnet } = await seedFile(node, hashed, ['wss://tracker.example/announce']);
 *
 * Who wants other storage uses `node.engine.add` and `addByHash`, then `node.announce`; who wants other parts makes an
 * `Engine` of `seedbed/torrent` with ports of its own.
 */
export { addTorrent, type AddTorrentOptions } from './add-torrent.ts';
export type { Finding } from './finding.ts';
export { openFiles, type OpenFilesOptions } from './files.ts';
export { hashPath, type HashPathOptions } from './hash-path.ts';
export { hashFile, seedFile, type HashedFile, type HashFileOptions, type SeededFile } from './seed-files.ts';
export { SwarmNode, type SwarmNodeOptions } from './swarm-node.ts';
export { addWebSeeds, type WebSeedOptions } from './web-seeds.ts';
export { Guard, type GuardOptions } from '../../adapters/guard/guard.ts';
export { AddressPolicy, type AddressPolicyOptions } from '../../base/address-policy.ts';
