/** The search for a torrent's peers in the local network (BEP 14), which never speaks of private torrents (BEP 27). */
import type { LocalDiscovery } from '../../adapters/lsd/local-discovery.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Torrent } from '../../torrent/index.ts';

/** Until what it returns is called. A peer that announced itself was seen at its address. */
export function findLocally(
  discovery: LocalDiscovery,
  torrent: Torrent,
  keys: readonly SwarmKey[] = torrent.keys,
): () => void {
  const removals = keys.map((key) =>
    discovery.add({
      key,
      isAllowed: () => !torrent.isStopped && torrent.info?.isPrivate !== true,
      found: (peer) => torrent.addPeers([peer], 'observed'),
    }),
  );
  return () => {
    for (const remove of removals) remove();
  };
}
