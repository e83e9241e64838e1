import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { seededBytes, seededRandom } from '../../../test/support/random-bytes.ts';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { Conflict, NoSpace, StorageFailed, Unavailable } from '../../base/errors.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { type Disk, nodeDisk } from './disk.ts';
import { FilePieceStorage } from './piece-storage.ts';
import { type PlacedFile, placeFiles, safeSegment } from './placement.ts';
import { ResumeFile } from './resume-file.ts';
import { Volume } from './volume.ts';

const KEY = parseSwarmKey('ab'.repeat(20));
const volume = (disk: Disk = nodeDisk): Volume => new Volume(disk, silentLog);

/** Files of these lengths in one flat space; a name of `undefined` is a pad file. */
function layout(folder: string, files: readonly (readonly [string | undefined, number])[]): PlacedFile[] {
  let offsetBytes = 0;
  return files.map(([name, lengthBytes]) => {
    const placed = { file: name === undefined ? undefined : path.join(folder, name), lengthBytes, offsetBytes };
    offsetBytes += lengthBytes;
    return placed;
  });
}

describe('a torrent in files', () => {
  test('whole pieces land across file borders and read back at any position', async () => {
    const folder = await testFolder('pieces');
    const files = layout(folder, [
      ['a/one', 1_000],
      ['empty', 0],
      [undefined, 24],
      ['a/two', 5_000],
      ['three', 1],
      ['b/four', 2_975],
    ]);
    const flat = seededBytes('flat', 9_000);
    flat.fill(0, 1_000, 1_024);
    const storage = new FilePieceStorage(volume(), files, 'write');
    await storage.prepare();
    const order = Array.from({ length: 9 }, (_, piece) => piece).toSorted((a, b) => ((a * 7) % 9) - ((b * 7) % 9));
    for (const piece of order) await storage.write(flat.subarray(piece * 1_000, (piece + 1) * 1_000), piece * 1_000);
    const random = seededRandom(1);
    for (let round = 0; round < 50; round++) {
      const start = Math.floor(random() * 9_000);
      const length = Math.floor(random() * (9_000 - start));
      const cut = Math.floor(random() * length);
      const views = [new Uint8Array(cut), new Uint8Array(length - cut)];
      await storage.read(views, start);
      expect(Buffer.compare(Buffer.concat(views), flat.subarray(start, start + length))).toBe(0);
    }
    await storage.close();
    expect(Buffer.compare(await readFile(path.join(folder, 'a/two')), flat.subarray(1_024, 6_024))).toBe(0);
    expect((await stat(path.join(folder, 'empty'))).size).toBe(0);
  });

  test('of files that are not wanted only what shares a piece with others is kept, beside them', async () => {
    const folder = await testFolder('pieces');
    const lengths = [1_500, 2_000, 1_000, 1_500];
    let offsetBytes = 0;
    const files = lengths.map((lengthBytes, at) => {
      const file = { path: ['all', `${at}`], lengthBytes, offsetBytes, isPad: false };
      offsetBytes += lengthBytes;
      return file;
    });
    const rest = path.join(folder, 'rest');
    const selected = { ranges: [{ first: 1, last: 1 }], rest };
    const storage = new FilePieceStorage(
      volume(),
      placeFiles({ files, isSingleFile: false }, folder, selected),
      'write',
    );
    await storage.prepare();
    const flat = seededBytes('flat', 6_000);
    for (const piece of [1, 2, 3])
      await storage.write(flat.subarray(piece * 1_000, (piece + 1) * 1_000), piece * 1_000);
    await storage.sync();
    const back = new Uint8Array(3_000);
    await storage.read([back], 1_000);
    expect(Buffer.compare(back, flat.subarray(1_000, 4_000))).toBe(0);
    await storage.close();
    expect(await readdir(path.join(folder, 'all'))).toEqual(['1']);
    expect(Buffer.compare(await readFile(path.join(folder, 'all/1')), flat.subarray(1_500, 3_500))).toBe(0);
    expect((await stat(rest)).size).toBe(6_000);
  });

  test('what another selection left beside the files is not cut, nor is one that is longer than the torrent has it', async () => {
    const folder = await testFolder('pieces');
    const rest = path.join(folder, 'rest');
    await writeFile(rest, seededBytes('rest', 5_000));
    const shared = [{ file: rest, lengthBytes: 1_000, offsetBytes: 0, startBytes: 0 }];
    const storage = new FilePieceStorage(volume(), shared, 'write');
    await storage.prepare();
    await storage.close();
    expect((await stat(rest)).size).toBe(5_000);
    const own = new FilePieceStorage(volume(), [{ file: rest, lengthBytes: 1_000, offsetBytes: 0 }], 'write');
    await expect(own.prepare()).rejects.toBeInstanceOf(Conflict);
    expect((await stat(rest)).size).toBe(5_000);
    const again = new FilePieceStorage(volume(), shared, 'write'); // what was refused holds nothing
    await again.prepare();
    await again.close();
    await rm(rest);
    await own.prepare(); // the next attempt holds what it writes
    await expect(new FilePieceStorage(volume(), shared, 'write').prepare()).rejects.toBeInstanceOf(Conflict);
    await own.close();
    await own.close();
  });

  test('a large file costs no room before its bytes come', async () => {
    const folder = await testFolder('pieces');
    const storage = new FilePieceStorage(volume(), layout(folder, [['big', 1 << 30]]), 'write');
    await storage.prepare();
    await storage.write(new Uint8Array(65_536), 1 << 29);
    await storage.close();
    const { size, blocks } = await stat(path.join(folder, 'big'));
    expect(size).toBe(1 << 30);
    expect(blocks * 512).toBeLessThan(1 << 20);
  });

  test('hundreds of files stay within the descriptor cap and nothing written is lost', async () => {
    const folder = await testFolder('pieces');
    let openNow = 0;
    let openMost = 0;
    const counting: Disk = {
      ...nodeDisk,
      open: async (file, flags) => {
        const fd = await nodeDisk.open(file, flags);
        openMost = Math.max(openMost, ++openNow);
        return fd;
      },
      close: async (fd) => {
        openNow--;
        return nodeDisk.close(fd);
      },
    };
    const files = layout(
      folder,
      Array.from({ length: 300 }, (_, at) => [`f${at}`, 100] as const),
    );
    const flat = seededBytes('many', 30_000);
    const storage = new FilePieceStorage(volume(counting), files, 'write');
    const writes = Array.from({ length: 30 }, (_, piece) =>
      storage.write(flat.subarray(piece * 1_000, (piece + 1) * 1_000), piece * 1_000),
    );
    await Promise.all(writes);
    const back = new Uint8Array(30_000);
    await storage.read([back], 0);
    expect(Buffer.compare(back, flat)).toBe(0);
    await storage.close();
    expect(openMost).toBeLessThanOrEqual(64 + writes.length);
    expect(openNow).toBe(0);
  });

  test('what is under way ends well while files are opened anew, and no descriptor is left or closed twice', async () => {
    const folder = await testFolder('pieces');
    const open = new Set<number>();
    const strict: Disk = {
      ...nodeDisk,
      open: async (file, flags) => {
        const fd = await nodeDisk.open(file, flags);
        open.add(fd);
        return fd;
      },
      close: (fd) => (open.delete(fd) ? nodeDisk.close(fd) : Promise.reject(new Error('closed already'))),
    };
    const names = Array.from({ length: 100 }, (_, at) => [`f${at}`, 100] as const);
    const storage = new FilePieceStorage(volume(strict), layout(folder, names), 'write');
    const flat = seededBytes('reopen', 10_000);
    const cuts = Array.from({ length: 10 }, (_, at) => at * 1_000);
    const writes = cuts.map((at) => storage.write(flat.subarray(at, at + 1_000), at));
    await Promise.all([storage.reopen(), ...writes, storage.sync(), storage.reopen()]);
    const back = cuts.map(() => new Uint8Array(1_000));
    await Promise.all([storage.reopen(), ...back.map((view, at) => storage.read([view], at * 1_000)), storage.sync()]);
    expect(Buffer.compare(Buffer.concat(back), flat)).toBe(0);
    await storage.reopen();
    expect(open.size).toBe(0);
    await storage.close();
  });

  test('what sync has acknowledged was synced: file by file, then the folders that got names', async () => {
    const folder = await testFolder('pieces');
    const calls: string[] = [];
    const tracing: Disk = {
      ...nodeDisk,
      datasync: async (fd) => {
        calls.push('datasync');
        return nodeDisk.datasync(fd);
      },
      syncDirectory: async (directory) => {
        calls.push(path.basename(directory));
        return nodeDisk.syncDirectory(directory);
      },
    };
    const storage = new FilePieceStorage(volume(tracing), layout(folder, [['sub/a', 10]]), 'write');
    await storage.write(new Uint8Array(10), 0);
    expect(calls).toEqual([]);
    await storage.sync();
    await storage.sync();
    expect(calls).toEqual(['datasync', 'sub']);
    await storage.close();
  });

  test('a file that is opened again gives its folder no new name: nothing is left to sync', async () => {
    const folder = await testFolder('pieces');
    const storage = new FilePieceStorage(volume(), layout(folder, [['sub/a', 10]]), 'write');
    await storage.prepare();
    await storage.reopen();
    await storage.read([new Uint8Array(10)], 0);
    await rm(path.join(folder, 'sub'), { recursive: true });
    await storage.close();
  });

  test.each([
    ['ENOSPC', NoSpace, 'closes'],
    ['EIO', StorageFailed, 'cannot promise that the rest is safe'],
  ])('a disk that answers %s is a typed error (%o), and the storage %s', async (code, kind, then) => {
    const folder = await testFolder('pieces');
    const failing: Disk = { ...nodeDisk, write: () => Promise.reject(Object.assign(new Error(code), { code })) };
    const storage = new FilePieceStorage(volume(failing), layout(folder, [['a', 10]]), 'write');
    await expect(storage.write(new Uint8Array(10), 0)).rejects.toBeInstanceOf(kind);
    if (then === 'closes') await storage.close();
    else {
      await expect(storage.sync()).rejects.toBeInstanceOf(Unavailable);
      await storage.close(); // the error was told; there is nothing left to do well
    }
  });

  test('that cannot be synced any more closes all of it, gives the paths back, and says why', async () => {
    const folder = await testFolder('pieces');
    const files = layout(folder, [
      ['a', 10],
      ['b', 10],
    ]);
    let isBroken = false;
    const open = new Set<number>();
    const failing: Disk = {
      ...nodeDisk,
      open: async (...named) => {
        const fd = await nodeDisk.open(...named);
        open.add(fd);
        return fd;
      },
      close: async (fd) => {
        open.delete(fd);
        await nodeDisk.close(fd);
        if (isBroken) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      },
      datasync: (fd) =>
        isBroken ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : nodeDisk.datasync(fd),
    };
    const storage = new FilePieceStorage(volume(failing), files, 'write');
    await storage.prepare();
    await storage.write(new Uint8Array(20), 0);
    expect(open.size).toBe(2);
    isBroken = true;
    await expect(storage.close()).rejects.toMatchObject({
      errors: expect.arrayContaining([expect.any(StorageFailed)]),
    });
    expect(open.size).toBe(0);
    isBroken = false;
    const again = new FilePieceStorage(volume(), files, 'write');
    await again.prepare();
    await again.close();
  });

  test('reading what was cut off, past the end or after close is StorageFailed', async () => {
    const folder = await testFolder('pieces');
    await writeFile(path.join(folder, 'a'), 'short');
    const storage = new FilePieceStorage(volume(), layout(folder, [['a', 10]]), 'read');
    await expect(storage.read([new Uint8Array(10)], 0)).rejects.toBeInstanceOf(StorageFailed);
    await expect(storage.read([new Uint8Array(2)], 9)).rejects.toBeInstanceOf(StorageFailed);
    await storage.close();
    await expect(storage.read([new Uint8Array(1)], 0)).rejects.toBeInstanceOf(StorageFailed);
  });
});

describe('the progress of a download', () => {
  async function halfDone(): Promise<{ folder: string; files: PlacedFile[]; have: Bitfield; resume: ResumeFile }> {
    const folder = await testFolder('resume');
    const files = layout(folder, [['a', 2_000]]);
    const storage = new FilePieceStorage(volume(), files, 'write');
    await storage.prepare();
    await storage.write(new Uint8Array(1_000).fill(7), 1_000);
    await storage.close();
    const have = new Bitfield(2);
    have.set(1);
    const resume = new ResumeFile(volume(), path.join(folder, 'a.resume'), KEY, files);
    await resume.save(have);
    return { folder, files, have, resume };
  }

  test('survives a restart', async () => {
    const { folder, files, have } = await halfDone();
    const again = new ResumeFile(volume(), path.join(folder, 'a.resume'), KEY, files);
    expect((await again.load(2))?.toBytes()).toEqual(have.toBytes());
    await again.remove();
    await again.remove();
    expect(await again.load(2)).toBeUndefined();
  });

  test('counts for nothing once the file was touched', async () => {
    const { folder, resume } = await halfDone();
    await utimes(path.join(folder, 'a'), 1, 1);
    expect(await resume.load(2)).toBeUndefined();
  });

  test.each([
    ['another torrent', { key: 'cd'.repeat(20) }],
    ['another piece count', { have: 'ffff' }],
    ['an unknown format', { format: 2 }],
    ['no hex', { have: 'zz' }],
  ])('of %s counts for nothing', async (_what, change) => {
    const { folder, resume } = await halfDone();
    const file = path.join(folder, 'a.resume');
    const record: unknown = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...(record as object), ...change }));
    expect(await resume.load(2)).toBeUndefined();
  });

  test('that is no JSON counts for nothing', async () => {
    const { folder, resume } = await halfDone();
    await writeFile(path.join(folder, 'a.resume'), '{"format":1');
    expect(await resume.load(2)).toBeUndefined();
  });
});

describe('where files are placed', () => {
  test.each([
    ['film.mp4', 'film.mp4'],
    ['a/b\\c:d', 'a_b_c_d'],
    ['..', '_'],
    ['.hidden', 'hidden'],
    ['end. . ', 'end'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['line\nbreak', 'line_break'],
    ['', '_'],
    ['é'.repeat(300) + '.mkv', 'é'.repeat(98) + '.mkv'],
  ])('the name %j is stored as %j', (name, stored) => {
    expect(safeSegment(name)).toBe(stored);
  });

  test('no two files share a path, nor a file and a folder, even where case does not count', () => {
    const names = [['A', 'x'], ['a', 'X'], ['a'], ['b'], ['B', 'y'], ['c', '..', 'z'], ['c', '_', 'Z']];
    const files = names.map((elements, at) => ({ path: elements, lengthBytes: 1, offsetBytes: at, isPad: false }));
    const placed = placeFiles({ files, isSingleFile: false }, '/out').map(({ file }) => file ?? '');
    expect(new Set(placed.map((file) => file.toLowerCase())).size).toBe(names.length);
    expect(placed.every((file) => file.startsWith('/out/') && !file.includes('..'))).toBe(true);
    const folders = new Set(placed.map((file) => path.dirname(file).toLowerCase()));
    expect(placed.filter((file) => folders.has(file.toLowerCase()))).toEqual([]);
  });

  test('who comes later gets the next free number, one that another file has by itself left out', () => {
    const names = [['a?.txt'], ['a_.txt'], ['a_ (3).txt'], ['A:.TXT'], ['a*.txt', 'x'], ['a|.txt', 'y'], ['a*.txt']];
    const files = names.map((elements, at) => ({ path: elements, lengthBytes: 1, offsetBytes: at, isPad: false }));
    const placed = placeFiles({ files, isSingleFile: false }, '/out').map(({ file }) => file?.slice('/out/'.length));
    expect(placed).toEqual([
      'a_.txt',
      'a_ (2).txt',
      'a_ (3).txt',
      'A_ (4).TXT',
      'a_ (5).txt/x',
      'a_ (5).txt/y',
      'a_ (6).txt',
    ]);
  });

  test.each([
    ['file', (name: string): string[] => [name], 1],
    ['folder', (name: string): string[] => [name, 'x'], 2],
  ])(
    '20,000 names of a %s that are one name when made safe are placed by looking at each a few times',
    (_kind, elementsOf, depth) => {
      const reserved = '<>:"|?*\\';
      const nameOf = (at: number): string =>
        Array.from({ length: 6 }, (_, digit) => reserved[(at >> (3 * digit)) & 7]).join('');
      const files = Array.from({ length: 20_000 }, (_, at) => ({
        path: elementsOf(nameOf(at)),
        lengthBytes: 1,
        offsetBytes: at,
        isPad: false,
      }));
      const atMost = files.length * depth * 6;
      const looks = vi.spyOn(String.prototype, 'normalize').mockImplementation(function (this: string) {
        if (looks.mock.calls.length > atMost) throw new Error('looks at the same names again and again');
        return this; // ASCII: normal as it is
      });
      onTestFinished(() => looks.mockRestore());
      const placed = placeFiles({ files, isSingleFile: false }, '/out');
      expect(new Set(placed.map(({ file }) => file)).size).toBe(files.length);
    },
  );

  test('a single file is the target itself, and pads are nowhere', () => {
    const file = { path: ['whatever'], lengthBytes: 5, offsetBytes: 0, isPad: false };
    expect(placeFiles({ files: [file], isSingleFile: true }, '/out/x')[0]?.file).toBe('/out/x');
    expect(placeFiles({ files: [{ ...file, isPad: true }], isSingleFile: false }, '/out')[0]?.file).toBeUndefined();
    const link = { ...file, lengthBytes: 0, isSymlink: true as const };
    expect(placeFiles({ files: [link], isSingleFile: false }, '/out')[0]?.file).toBeUndefined();
  });
});
