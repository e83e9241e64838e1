/** Which held media go when room is needed: the least recently used that nobody uses now. A pure decision. */
import type { InfoHashV1 } from '../../../src/base/ids.ts';

export interface Evictable {
  readonly infoHash: InfoHashV1;
  /** What it is charged for, at most: its whole size, since a seek to the end fills the file with holes. */
  readonly sizeBytes: number;
  readonly lastUsedMs: number;
  /** Open in a tab. */
  readonly inUse: boolean;
}

/** Media to remove so that `neededBytes` more fit into `quotaBytes`; undefined when that cannot be. */
export function chooseEvictions(
  held: readonly Evictable[],
  neededBytes: number,
  quotaBytes: number,
): readonly InfoHashV1[] | undefined {
  let excessBytes = held.reduce((sum, { sizeBytes }) => sum + sizeBytes, neededBytes) - quotaBytes;
  const evicted: InfoHashV1[] = [];
  const oldestFirst = held.filter(({ inUse }) => !inUse).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  for (const { infoHash, sizeBytes } of oldestFirst) {
    if (excessBytes <= 0) break;
    excessBytes -= sizeBytes;
    evicted.push(infoHash);
  }
  return excessBytes <= 0 ? evicted : undefined;
}
