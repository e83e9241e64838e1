/**
 * A torrent to download into a folder, from all that its magnet link or .torrent file names: trackers, peers, HTTP
 * sources. Those are strangers' words and judged as such; what the caller names is not.
 */
import type { PeerAddress } from '../../base/address.ts';
import { withDefaults } from '../../base/defaults.ts';
import { Conflict } from '../../base/errors.ts';
import { swarmKeyOf } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { checkKeys, type OptionKeys } from '../../base/options.ts';
import type { FileRange } from '../../codec/magnet.ts';
import type { InfoHashes } from '../../codec/metainfo.ts';
import { readTorrentSource, type TorrentSource } from '../../codec/torrent-source.ts';
import type { Engine, RateLimits, Torrent, TorrentOptions } from '../../torrent/index.ts';
import { checkText, checkTorrentOptions } from '../../torrent/options-check.ts';
import { openFiles } from './files.ts';
import { orStopped } from './or-stopped.ts';
import type { SwarmNode } from './swarm-node.ts';
import { addWebSeeds } from './web-seeds.ts';

/** How a torrent is downloaded; limits are in bytes per second. */
export interface AddTorrentOptions extends Pick<TorrentOptions, 'mode' | 'webSeedUse'>, RateLimits {
  /** Its files are kept below, under the torrent's name. What is there already is checked, and not fetched again. */
  readonly folder: string;
  /** The only files to fetch unread (BEP 53); default: those that the magnet link names, else all. */
  readonly selectedFiles?: readonly FileRange[];
  /** Peers that you name yourself; dialled wherever they are. */
  readonly peers?: readonly PeerAddress[];
  /** Whether the HTTP sources it names (BEP 19) are used. Default true. */
  readonly useWebSeeds?: boolean;
  /** Default: nothing is logged. */
  readonly log?: Log;
}

const ADD_KEYS: OptionKeys<AddTorrentOptions> = {
  folder: true,
  mode: true,
  selectedFiles: true,
  peers: true,
  webSeedUse: true,
  useWebSeeds: true,
  uploadBytesPerSecond: true,
  downloadBytesPerSecond: true,
  log: true,
};

/**
 * Downloads what a magnet link, or the bytes of a .torrent file, names, and gives it to others, until the torrent or the
 * node is stopped. Resolves at once; `torrent.ready()` waits for the metadata, `torrent.done()` for the files; both fail with
 * Conflict, NoSpace or StorageFailed where a magnet link's files cannot be made.
 * @throws InvalidInput for what is neither or a wrong option, Conflict when it is running already; for a .torrent file
 *   whose files cannot be made Conflict (a longer file has the name, or another running torrent has it), NoSpace, StorageFailed
 */
export async function addTorrent(
  node: SwarmNode,
  source: string | Uint8Array,
  options: AddTorrentOptions,
): Promise<Torrent> {
  checkKeys('addTorrent', options, ADD_KEYS);
  checkTorrentOptions(options);
  checkText('folder', options.folder);
  const named = await readTorrentSource(source);
  const torrent = await start(node, named, options);
  const { peers = [], useWebSeeds = true, log = silentLog } = options;
  return orStopped(torrent, () => {
    torrent.addPeers(peers, 'judged');
    if (useWebSeeds) addWebSeeds(node, torrent, named.webSeeds, { log });
    node.announce(torrent, named.trackers);
    return torrent;
  });
}

async function start({ engine }: SwarmNode, named: TorrentSource, options: AddTorrentOptions): Promise<Torrent> {
  const { folder, log = silentLog, peers: _peers, useWebSeeds: _useWebSeeds, ...wishes } = options;
  const { hashes, info, pieceLayers, peers, selectedFiles } = named;
  const common = {
    ...withDefaults<typeof wishes>({ ...(selectedFiles && { selectedFiles }) }, wishes),
    ...hashes,
    peers,
  };
  if (info === undefined)
    return engine.addByHash({ ...common, openStorage: (known) => openFiles(known, folder, { log }) });
  refuseRunning(engine, hashes);
  const opened = await openFiles(info, folder, { log });
  try {
    return engine.add({ ...common, ...opened, info, ...(pieceLayers && { pieceLayers }) });
  } catch (error) {
    await opened.storage.close();
    throw error;
  }
}

/** Before its files are opened: that they are in use would say less. */
function refuseRunning(engine: Engine, { v1, v2 }: InfoHashes): void {
  for (const infoHash of [v1, v2])
    if (infoHash !== undefined && engine.get(swarmKeyOf(infoHash)) !== undefined)
      throw new Conflict('the torrent is running already', { infoHash });
}
