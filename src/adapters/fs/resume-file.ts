/**
 * What a download remembers beside its data: which pieces are there, and how the files looked when that was written down.
 * It is written after the data is synced and replaced in one step, so it never promises bytes that a power cut could have
 * taken; where a file looks different now, it counts for nothing.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { constants } from 'node:fs';
import { fromHex, fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import type { PlacedFile } from './placement.ts';
import { errnoOf } from './disk.ts';
import type { Volume } from './volume.ts';

const FORMAT = 1;

interface ResumeRecord {
  readonly format: typeof FORMAT;
  readonly key: SwarmKey;
  /** Hex. */
  readonly have: string;
  /** Size, mtime and inode of each file, in order. */
  readonly fingerprints: readonly string[];
}

export class ResumeFile {
  readonly #volume: Volume;
  readonly #file: string;
  readonly #key: SwarmKey;
  readonly #files: readonly string[];

  constructor(volume: Volume, file: string, key: SwarmKey, files: readonly PlacedFile[]) {
    this.#volume = volume;
    this.#file = file;
    this.#key = key;
    this.#files = [...new Set(files.flatMap((placed) => placed.file ?? []))];
  }

  /** The pieces that are certainly there; undefined when nothing trustworthy is known. @throws StorageFailed */
  async load(pieceCount: number): Promise<Bitfield | undefined> {
    const record = parseRecord(await this.#readText());
    if (record === undefined || record.key !== this.#key) return undefined;
    const now = await this.#fingerprints();
    if (now.length !== record.fingerprints.length || now.some((print, at) => print !== record.fingerprints[at]))
      return undefined;
    const bytes = fromHex(record.have);
    return bytes.length === Math.ceil(pieceCount / 8) ? Bitfield.fromBytes(bytes, pieceCount) : undefined;
  }

  /** Call after the data is synced. @throws NoSpace, StorageFailed */
  async save(have: Bitfield): Promise<void> {
    const fingerprints = await this.#fingerprints();
    const record: ResumeRecord = { format: FORMAT, key: this.#key, have: toHex(have.toBytes()), fingerprints };
    const draft = `${this.#file}.new`;
    await this.#volume.change('save the progress', async (disk) => {
      const fd = await disk.open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
      try {
        let rest = utf8(JSON.stringify(record));
        for (let at = 0; rest.length > 0;) {
          const count = await disk.write(fd, [rest], at);
          at += count;
          rest = rest.subarray(count);
        }
        await disk.datasync(fd);
      } finally {
        await disk.close(fd);
      }
      await disk.rename(draft, this.#file);
      await disk.syncDirectory(path.dirname(this.#file));
    });
  }

  /** Forgets. Harmless when there is nothing to forget. @throws StorageFailed */
  async remove(): Promise<void> {
    await this.#volume.change('remove the progress', (disk) =>
      disk.unlink(this.#file).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
      }),
    );
  }

  async #readText(): Promise<string | undefined> {
    return this.#volume.look('read the progress', async () => {
      try {
        return fromUtf8(await readFile(this.#file));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    });
  }

  async #fingerprints(): Promise<string[]> {
    const prints: string[] = [];
    for (const file of this.#files)
      prints.push(
        await this.#volume.look('stat', async (disk) => {
          try {
            return (await disk.stat(file)).fingerprint;
          } catch (error) {
            if (errnoOf(error) === 'ENOENT') return 'absent';
            throw error;
          }
        }),
      );
    return prints;
  }
}

/** Undefined for anything that is not a record of ours: a broken file costs a check of the data, nothing more. */
function parseRecord(text: string | undefined): ResumeRecord | undefined {
  if (text === undefined) return undefined;
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isRecord(record) ? record : undefined;
}

function isRecord(value: unknown): value is ResumeRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<Record<keyof ResumeRecord, unknown>>;
  return (
    record.format === FORMAT &&
    typeof record.key === 'string' &&
    typeof record.have === 'string' &&
    /^([0-9a-f]{2})*$/.test(record.have) &&
    Array.isArray(record.fingerprints) &&
    record.fingerprints.every((print) => typeof print === 'string')
  );
}
