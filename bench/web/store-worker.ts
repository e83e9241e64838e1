/** Stores under test, each written piece by piece in random order in a dedicated worker, and made durable at the end. */
import { createStore, set } from 'idb-keyval';
import { OpfsFolder } from '../../src/adapters/browser/opfs-folder.ts';
import { RecordedStorage } from '../../src/adapters/browser/recorded-storage.ts';
import { subtleHasher } from '../../src/adapters/browser/subtle-hasher.ts';
import { systemClock } from '../../src/base/clock.ts';

export type StoreKind = 'opfs' | 'opfs-verified' | 'create-writable' | 'idb-keyval';

export interface StoreRun {
  readonly kind: StoreKind;
  readonly sizeBytes: number;
  readonly pieceBytes: number;
}

interface Store {
  write(piece: Uint8Array<ArrayBuffer>, index: number): Promise<void>;
  /** Flushes. */
  finish(): Promise<void>;
}

const NAME = 'bench';
const root = (): Promise<FileSystemDirectoryHandle> => navigator.storage.getDirectory();

/** The product's own: pieces and the record of them, as the engine writes them. */
async function opfs({ sizeBytes, pieceBytes }: StoreRun): Promise<Store> {
  const folder = await OpfsFolder.open(NAME, systemClock);
  if (folder === undefined) throw new Error('no OPFS');
  const layout = { totalBytes: sizeBytes, pieceLengthBytes: pieceBytes, pieceCount: sizeBytes / pieceBytes };
  const storage = await RecordedStorage.open(folder, NAME, layout);
  return {
    write: (piece, index) => storage.write(piece, index * pieceBytes),
    finish: () => storage.close(),
  };
}

/** With each piece's SHA-1 before it is written, as the engine does it. */
async function opfsVerified(run: StoreRun): Promise<Store> {
  const store = await opfs(run);
  return {
    write: async (piece, index) => {
      await subtleHasher.sha1(piece);
      await store.write(piece, index);
    },
    finish: () => store.finish(),
  };
}

async function createWritable({ pieceBytes }: StoreRun): Promise<Store> {
  const handle = await (await root()).getFileHandle(NAME, { create: true });
  const writable = await handle.createWritable();
  return {
    write: (piece, index) => writable.write({ type: 'write', position: index * pieceBytes, data: piece }),
    finish: () => writable.close(),
  };
}

async function idbKeyval(): Promise<Store> {
  const store = createStore(NAME, 'pieces');
  return { write: (piece, index) => set(index, piece, store), finish: async () => undefined };
}

const STORES: Readonly<Record<StoreKind, (run: StoreRun) => Promise<Store>>> = {
  opfs,
  'opfs-verified': opfsVerified,
  'create-writable': createWritable,
  'idb-keyval': idbKeyval,
};

function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [order[at], order[other]] = [order[other] ?? 0, order[at] ?? 0];
  }
  return order;
}

/** Bytes per second, from the first write to the end of the flush. */
export async function measureStore(run: StoreRun): Promise<number> {
  const { sizeBytes, pieceBytes } = run;
  const store = await STORES[run.kind](run);
  const piece = new Uint8Array(pieceBytes);
  for (let at = 0; at < pieceBytes; at += 65_536) crypto.getRandomValues(piece.subarray(at, at + 65_536));
  const mark = new DataView(piece.buffer);
  const startMs = performance.now();
  for (const index of shuffled(sizeBytes / pieceBytes)) {
    mark.setUint32(0, index);
    await store.write(piece, index);
  }
  await store.finish();
  return (sizeBytes * 1000) / (performance.now() - startMs);
}
