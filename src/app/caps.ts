/**
 * Every global cap of a server in one table: what all its torrents and peers share, so that a hundred thousand of them
 * cost no more than a few. `docs/limits.md` gives the reason and the proof of each; `test/docs.test.ts` holds it to this.
 */
import { DEFAULT_LIMITS as TCP_LIMITS } from '../adapters/tcp/limits.ts';
import { MAX_CANDIDATES } from '../adapters/webrtc/candidates.ts';
import { MIB } from '../base/units.ts';
import { TOLD_TRACKERS } from '../kit/node/announced-tiers.ts';
import { SEEDING_CAPS } from '../media/seeding.ts';
import { DEFAULT_LIMITS as ENGINE_LIMITS, HASH_LIMITS, MAX_WEB_SEEDS } from '../torrent/index.ts';
import { DEFAULT_LIMITS as TRACKER_LIMITS } from '../tracker/registry.ts';
import type { Config } from './config.ts';

/** Blobs that stay open without a reader: most files are asked for again soon, and a descriptor costs a kilobyte. */
const IDLE_FILES = 256;

/** Numbers without a unit in their name are counts. */
export function capsOf({ maxPeers }: Pick<Config, 'maxPeers'>) {
  return {
    connections: maxPeers,
    connectionsPerAddress: TCP_LIMITS.maxPerAddress,
    connectionsPerTorrent: ENGINE_LIMITS.maxConnectionsPerTorrent,
    peersPerAddress: ENGINE_LIMITS.maxPeersPerAddress,
    handshakesPerSecond: ENGINE_LIMITS.handshakesPerSecondPerAddress,
    greetings: Math.ceil(maxPeers / 2),
    dialling: TCP_LIMITS.maxHalfOpen,
    idleFiles: IDLE_FILES,
    swarmReads: SEEDING_CAPS.reads.atOnce,
    awakeTorrents: Math.max(SEEDING_CAPS.awake, maxPeers),
    wakesAtOnce: SEEDING_CAPS.wakes.atOnce,
    wakesWaiting: SEEDING_CAPS.wakes.maxWaiting,
    callBacks: SEEDING_CAPS.callBacks,
    unknownTorrentsPerSecond: SEEDING_CAPS.unknownPerSecond,
    iceCandidates: MAX_CANDIDATES,
    webSeeds: MAX_WEB_SEEDS,
    trackersPerTorrent: TOLD_TRACKERS.trackers,
    tiersPerTorrent: TOLD_TRACKERS.tiers,
    uploadSlots: ENGINE_LIMITS.maxUploadSlots,
    hashJobs: ENGINE_LIMITS.maxHashJobs,
    leafCacheMib: ENGINE_LIMITS.leafCacheBytes / MIB,
    hashMibPerSecond: HASH_LIMITS.bytesPerSecond / MIB,
    hashRequestsWaiting: HASH_LIMITS.pending,
    hashRefusals: HASH_LIMITS.refusals,
    pieceBufferMib: ENGINE_LIMITS.pieceBufferBytes / MIB,
    serveBufferMib: ENGINE_LIMITS.serveBufferBytes / MIB,
    trackedSwarms: TRACKER_LIMITS.maxSwarms,
  };
}
