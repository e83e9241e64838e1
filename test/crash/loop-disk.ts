/**
 * A disk whose power can be cut: an ext4 image on a loop device. What the kernel has not flushed is not in the image,
 * so a copy of the image is what a power cut would have left. Not modelled: disks that lie about flushing, torn sectors.
 */
import { execFile } from 'node:child_process';
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const IMAGE_SIZE = '512M';

export class LoopDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #image: string;

  private constructor(lab: string) {
    this.folder = path.join(lab, 'mounted');
    this.#image = path.join(lab, 'disk.img');
  }

  /** Makes and mounts an empty disk; `lab` is a folder of its own. Needs root. */
  static async make(lab: string): Promise<LoopDisk> {
    const disk = new LoopDisk(lab);
    await mkdir(disk.folder);
    await run('truncate', ['-s', IMAGE_SIZE, disk.#image]);
    await run('mkfs.ext4', ['-q', '-F', disk.#image]);
    await disk.#mount();
    return disk;
  }

  /** The power goes and comes back: what was not flushed is gone. Nobody may have files open on it. */
  async cutPower(): Promise<void> {
    const cut = `${this.#image}.cut`;
    await run('cp', ['--sparse=always', this.#image, cut]);
    await run('umount', [this.folder]);
    await rename(cut, this.#image);
    await this.#mount();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.folder]);
  }

  /** `commit=300`: the journal must not flush by itself during a run, or it would hide a missing sync. */
  async #mount(): Promise<void> {
    await run('mount', ['-o', 'loop,commit=300', this.#image, this.folder]);
  }
}
