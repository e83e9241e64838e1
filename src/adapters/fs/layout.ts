/**
 * Where things lie under the store's root. Paths are made from hashes and random ids only, never from names, so no
 * input can point outside the root:
 *
 *     blobs/ab/cd/abcd…   whole blobs by sha256
 *     incoming/<id>       parts, on the same file system, so that a rename publishes them
 */
import path from 'node:path';
import { parseSha256, parseUploadId } from '../../base/ids.ts';
import type { Sha256, UploadId } from '../../base/ids.ts';

export interface Layout {
  readonly root: string;
  readonly incoming: string;
  readonly blobs: string;
}

export function layoutOf(root: string): Layout {
  const absolute = path.resolve(root);
  return { root: absolute, incoming: path.join(absolute, 'incoming'), blobs: path.join(absolute, 'blobs') };
}

/** @throws InvalidInput */
export function partPath(layout: Layout, id: UploadId): string {
  return path.join(layout.incoming, parseUploadId(id));
}

export function blobDirectory(layout: Layout, blob: Sha256): string {
  return path.join(layout.blobs, blob.slice(0, 2), blob.slice(2, 4));
}

/** Parses the hash once more, so that even a forged brand stays inside. @throws InvalidInput */
export function blobPath(layout: Layout, blob: Sha256): string {
  return path.join(blobDirectory(layout, parseSha256(blob)), blob);
}
