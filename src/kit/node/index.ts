/**
 * The engine in Node, ready to use: `import { SwarmNode, openFiles } from 'seedbed/torrent/node'`.
 *
 *     await using node = await SwarmNode.open();                     // TCP and uTP both ways, WebRTC where the system has it
 *     const { v1, trackers, peers } = parseMagnet(link);             // from 'seedbed/codec'
 *     const torrent = node.engine.addByHash({
 *       v1, peers, mode: 'on-demand', openStorage: (info) => openFiles(info, 'downloads'),
 *     });
 *     node.announce(torrent, trackers.map((url) => [url]));
 *     const info = await torrent.ready(signal);
 *     for await (const bytes of torrent.read({ start: 0, endExclusive: info.totalBytes })) play(bytes);
 *
 * Who wants other parts makes an `Engine` of `seedbed/torrent` with ports of its own.
 */
export type { Finding } from './finding.ts';
export { openFiles, type OpenFilesOptions } from './files.ts';
export { hashPath, type HashPathOptions } from './hash-path.ts';
export { hashFile, seedFile, type HashedFile, type SeededFile } from './seed-files.ts';
export { SwarmNode, type SwarmNodeOptions } from './swarm-node.ts';
