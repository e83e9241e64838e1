/** With a folder that is a fake: files in memory. A real browser's is in test/browser/swarm-storage.test.ts. */
import { expect, test } from 'vitest';
import { makeTorrent, Swarm, type TestTorrent } from '../../../test/support/swarm.ts';
import { KIB } from '../../base/units.ts';
import type { Torrent } from '../../torrent/index.ts';
import type { OpfsFolder, SyncFile } from './opfs-folder.ts';
import { RecordedStorage } from './recorded-storage.ts';

const PIECE = 32 * KIB;
const PIECES = 8;

class FakeFolder implements Pick<OpfsFolder, 'openFile'> {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();

  openFile(name: string): Promise<SyncFile> {
    const bytes = (): Uint8Array<ArrayBuffer> => this.files.get(name) ?? new Uint8Array();
    const resize = (sizeBytes: number): void => {
      const resized = new Uint8Array(sizeBytes);
      resized.set(bytes().subarray(0, sizeBytes));
      this.files.set(name, resized);
    };
    const write = (from: Uint8Array, { at }: { at: number }): number => {
      if (at + from.length > bytes().length) resize(at + from.length);
      bytes().set(from, at);
      return from.length;
    };
    const read = (into: Uint8Array, { at }: { at: number }): number => {
      const part = bytes().subarray(at, at + into.length);
      into.set(part);
      return part.length;
    };
    const nothing = (): void => undefined;
    const getSize = (): number => bytes().length;
    return Promise.resolve({ read, write, getSize, truncate: resize, flush: nothing, close: nothing });
  }
}

/** What an earlier visit left: everything, of which the disk has spoilt one piece since. */
async function earlierVisit({ info, bytes }: TestTorrent, spoilt: number): Promise<FakeFolder> {
  const folder = new FakeFolder();
  const storage = await RecordedStorage.open(folder, 'torrent', info);
  await storage.write(bytes, 0);
  await storage.close();
  folder.files.get('torrent')?.fill(0, spoilt * PIECE, spoilt * PIECE + 9);
  return folder;
}

async function visit(swarm: Swarm, source: TestTorrent, folder: FakeFolder): Promise<Torrent> {
  const storage = await RecordedStorage.open(folder, 'torrent', source.info);
  const { engine } = swarm.addNode();
  return engine.add({ ...source.hashes, info: source.info, storage, have: storage.have, mode: 'on-demand' });
}

async function settled(swarm: Swarm, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  void work.finally(() => (isOver = true));
  await swarm.until(() => isOver);
}

test.each<{ what: string; lose: (torrent: Torrent) => Promise<unknown> }>([
  { what: 'a recheck found wrong', lose: (torrent) => torrent.recheck() },
  { what: 'was given up', lose: (torrent) => torrent.dropPieces(5, 5) },
])('a piece that $what is not claimed by the next visit', async ({ lose }) => {
  const swarm = new Swarm();
  const source = await makeTorrent(PIECES * PIECE, PIECE);
  const folder = await earlierVisit(source, 5);
  const first = await visit(swarm, source, folder);
  expect(first.have.count).toBe(PIECES);
  await settled(swarm, lose(first));
  // As a tab ends that is closed: without a word.
  const second = await visit(swarm, source, folder);
  expect(Array.from({ length: PIECES }, (_, piece) => second.have.has(piece))).toEqual(
    Array.from({ length: PIECES }, (_, piece) => piece !== 5),
  );
});

test('a record that is written for what went names nothing that was not flushed', async () => {
  const { info, bytes } = await makeTorrent(PIECES * PIECE, PIECE);
  const folder = new FakeFolder();
  const storage = await RecordedStorage.open(folder, 'torrent', info);
  await storage.write(bytes.slice(0, PIECE), 0);
  await storage.sync();
  await storage.write(bytes.slice(PIECE, 2 * PIECE), PIECE);
  storage.forget([0]);
  const afterCrash = await RecordedStorage.open(folder, 'torrent', info);
  expect(afterCrash.have.count).toBe(0);
  await storage.close();
  expect((await RecordedStorage.open(folder, 'torrent', info)).have.count).toBe(1);
});
