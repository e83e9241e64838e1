/**
 * Ways to die and ways to be wrong, for the process under test. Deaths come at an exact point between two steps. What is
 * broken here are the guards of the product: each must make the crash tests fail, or the tests prove nothing.
 */
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import type { Disk } from '../../src/adapters/fs/disk.ts';
import type { MediaPorts } from '../../src/media/context.ts';
import type { MediaTables } from '../../src/media/tables.ts';
import type { BlobPart, BlobStore } from '../../src/store/blobs.ts';
import type { Rows, StepResult, WriteStep } from '../../src/store/rows.ts';
import { overriding } from '../contracts/overriding.ts';

/** The moment after which the process kills itself. */
export const KILL_POINTS = [
  'part created',
  'bytes written',
  'bytes synced',
  'offset recorded',
  'last offset recorded',
  'finish decided',
  'blob named',
  'finish completed',
] as const;
export type KillPoint = (typeof KILL_POINTS)[number];

/** A guard taken away. */
export type Broken = 'no sync' | 'one-phase finish' | 'no recovery of finishes';

/** Forgets every sync, of bytes and of names. */
export const unsyncedDisk: Disk = {
  ...nodeDisk,
  datasync: () => Promise.resolve(),
  syncDirectory: () => Promise.resolve(),
};

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;); // the signal ends the process before the next statement could run
}

type UnitKind = 'offset' | 'decide' | 'complete' | 'other';

function kindOf(steps: readonly WriteStep[]): UnitKind {
  const texts = steps.map(({ query }) => query.sql);
  if (texts.some((text) => text.startsWith('insert into "blob" '))) return 'complete';
  if (texts.some((text) => text.includes('"fin_pieces" = ?'))) return 'decide';
  return texts.some((text) => text.startsWith('update "upload" set "offset_bytes"')) ? 'offset' : 'other';
}

const POINT_OF_UNIT: Readonly<Record<UnitKind, KillPoint | undefined>> = {
  offset: 'offset recorded',
  decide: 'finish decided',
  complete: 'finish completed',
  other: undefined,
};

/** Ports that kill the process once `point` is reached; `sizeBytes` tells the last offset from the others. */
export function dyingAt(ports: MediaPorts, point: KillPoint, sizeBytes: number): MediaPorts {
  const reach = (reached: KillPoint): void => {
    if (reached === point) die();
  };
  const rows = overriding(ports.rows, {
    async write(steps: readonly WriteStep[]) {
      const results = await ports.rows.write(steps);
      const kind = kindOf(steps);
      const reached = POINT_OF_UNIT[kind];
      if (reached !== undefined) reach(reached);
      if (kind === 'offset' && steps[0]?.query.parameters[0] === sizeBytes) reach('last offset recorded');
      return results;
    },
  });
  return { ...ports, rows, store: dyingStore(ports.store, reach) };
}

function dyingStore(store: BlobStore, reach: (reached: KillPoint) => void): BlobStore {
  const afterwards = async <Result>(work: Promise<Result>, reached: KillPoint): Promise<Result> => {
    const result = await work;
    reach(reached);
    return result;
  };
  const dyingPart = (part: BlobPart): BlobPart =>
    overriding(part, {
      write: (chunks, position) => afterwards(part.write(chunks, position), 'bytes written'),
      sync: () => afterwards(part.sync(), 'bytes synced'),
      commit: (blob) => afterwards(part.commit(blob), 'blob named'),
    });
  return overriding(store, {
    openPart: async (id) => dyingPart(await afterwards(store.openPart(id), 'part created')),
  });
}

/** The classic mistake: the finding is recorded only together with the blob, after the rename. */
export function onePhase(ports: MediaPorts): MediaPorts {
  const held: WriteStep[] = [];
  const done = (steps: readonly WriteStep[]): StepResult[] => steps.map(() => ({ changes: 1, rows: [] }));
  const rows: Rows<MediaTables> = overriding(ports.rows, {
    async write(steps: readonly WriteStep[]) {
      const kind = kindOf(steps);
      if (kind === 'complete') return (await ports.rows.write([...held.splice(0), ...steps])).slice(-steps.length);
      if (kind !== 'decide') return ports.rows.write(steps);
      held.push(...steps);
      return done(steps);
    },
  });
  return { ...ports, rows };
}
