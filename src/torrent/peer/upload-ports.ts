/** What a peer's upload queue reads from and writes to. */
import { BLOCK_BYTES, type BlockRef } from '../../codec/wire.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { PeerHost } from './peer-host.ts';
import type { Peer } from './peer.ts';
import type { UploadPorts } from './upload-queue.ts';

const MIN_BATCH_BYTES = 8 * BLOCK_BYTES;

/** The ports of this peer's queue, for pieces from this store. */
export function uploadPortsOf(
  peer: Peer,
  store: PieceStore,
  host: PeerHost<Peer>,
  reject: (blocks: readonly BlockRef[]) => void,
): UploadPorts {
  const nowMs = (): number => host.clock.monotonicMs();
  // A batch lasts about half a second at the peer's speed, so slow peers do not hold large buffers.
  const batchBytes = (): number => Math.max(MIN_BATCH_BYTES, peer.uploaded.bytesPerSecond(nowMs()) / 2);
  return {
    geometry: store.geometry,
    pool: host.servePool,
    nowMs,
    read: (views, position) => store.serve(views, position),
    allowance: () => Math.min(host.uploadAllowance(peer), batchBytes()),
    charge: (sizeBytes) => {
      host.chargeUpload(peer, sizeBytes);
      peer.servedAtMs = nowMs();
      peer.uploaded.add(sizeBytes, peer.servedAtMs);
    },
    write: (bytes, released) => {
      peer.lastSentAtMs = nowMs();
      return peer.connection.write(bytes, released);
    },
    reject,
    failed: (requests, error) =>
      host.readFailed(
        requests.map(({ piece }) => piece),
        error,
      ),
  };
}
