/**
 * Content-addressed blobs: immutable bytes named by their sha256. Nothing is visible under a name before all of its
 * bytes are there, hashed and synced. Disk, S3 and OPFS fulfil this one interface; `test/contracts/blob-store.ts`
 * holds them to it.
 */
import type { Sha256, UploadId } from '../base/ids.ts';

export interface BlobStat {
  readonly sizeBytes: number;
  /** Changes whenever the stored bytes could have changed (size, mtime ns, inode on disks; ETag on S3). */
  readonly fingerprint: string;
}

/** An open blob. Reads may run concurrently. Close it when done. */
export interface BlobReader extends BlobStat, AsyncDisposable {
  /** Fills the views one after the other from `position`; resolves with the bytes read, less only at the end. @throws StorageFailed */
  read(views: readonly Uint8Array[], position: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * Bytes on their way to becoming a blob; one writer at a time. Survives restarts under its id.
 *
 *     const part = await store.openPart(id);
 *     await part.write(chunks, part.sizeBytes);   // any number of times, gap-free
 *     await part.sync();                          // only now may the bytes be acknowledged
 *     await part.commit(sha256);                  // or part.discard()
 */
export interface BlobPart extends AsyncDisposable {
  readonly id: UploadId;
  /** Bytes written so far. */
  readonly sizeBytes: number;
  /** Appends at `position`, which must equal `sizeBytes`. @throws NoSpace, StorageFailed (then the part is as before) */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /** After it resolves the bytes and the part's name survive a power cut. @throws StorageFailed; never retried after EIO */
  sync(): Promise<void>;
  /** Cuts the part back; for bytes that were never acknowledged. */
  truncate(sizeBytes: number): Promise<void>;
  /** Gives the synced bytes their name, durably. Idempotent: a blob that exists already wins and the part goes. */
  commit(blob: Sha256): Promise<BlobStat>;
  /** Removes the bytes. */
  discard(): Promise<void>;
  /** Lets go of the file; the part stays. */
  close(): Promise<void>;
}

export interface BlobStore {
  /** Creates the part (its name durable) or opens what is there. @throws Conflict when it is open already. */
  openPart(id: UploadId): Promise<BlobPart>;
  /** Undefined when there is no such part. */
  statPart(id: UploadId): Promise<{ readonly sizeBytes: number } | undefined>;
  listParts(): AsyncIterable<UploadId>;
  open(blob: Sha256): Promise<BlobReader | undefined>;
  stat(blob: Sha256): Promise<BlobStat | undefined>;
  /** Removes the name, then the bytes; open readers finish. Resolves with whether it was there. */
  delete(blob: Sha256): Promise<boolean>;
  list(): AsyncIterable<Sha256>;
  /** Room for new bytes, after the operator's floor. */
  freeBytes(): Promise<number>;
}
