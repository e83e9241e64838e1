/**
 * After a crash: makes rows and bytes agree again. Idempotent. What was acknowledged is completed, what was not is
 * removed, and bytes that were acknowledged but are gone are counted, which must never happen.
 */
import { parseSha256, parseUploadId } from '../base/ids.ts';
import type { MediaContext } from './context.ts';
import type { Finisher } from './finisher.ts';
import { dropUpload, lowerOffset } from './media-writes.ts';
import type { RecoveryReport } from './medium.ts';
import type { UploadRow } from './tables.ts';

const PAGE_ROWS = 200;

export interface Remains {
  /** Undefined: no part. */
  readonly partBytes: number | undefined;
  /** Of the blob that `fin` names; undefined: no such blob, or no `fin`. */
  readonly blobBytes: number | undefined;
}

export type Repair =
  | { readonly kind: 'complete' }
  | { readonly kind: 'finish'; readonly cutBytes: number }
  | { readonly kind: 'wait'; readonly cutBytes: number }
  | { readonly kind: 'forget' }
  | { readonly kind: 'lower'; readonly offsetBytes: number; readonly lostBytes: number };

type Facts = Pick<UploadRow, 'kind' | 'state' | 'size_bytes' | 'offset_bytes'>;

/** What to do with an unfinished upload. Pure. */
export function repairOf(upload: Facts, { partBytes = 0, blobBytes }: Remains): Repair {
  const { offset_bytes: offsetBytes, size_bytes: sizeBytes } = upload;
  if (upload.state === 'finishing' && (partBytes === sizeBytes || blobBytes === sizeBytes)) return { kind: 'complete' };
  if (upload.kind === 'single') return { kind: 'forget' };
  if (partBytes < offsetBytes) return { kind: 'lower', offsetBytes: partBytes, lostBytes: offsetBytes - partBytes };
  const cutBytes = partBytes - offsetBytes;
  return { kind: offsetBytes === sizeBytes ? 'finish' : 'wait', cutBytes };
}

export class Recovery {
  readonly #context: MediaContext;
  readonly #finisher: Finisher;
  #report = { completed: 0, finishing: 0, open: 0, cutBytes: 0, lostBytes: 0, sweptParts: 0 };

  constructor(context: MediaContext, finisher: Finisher) {
    this.#context = context;
    this.#finisher = finisher;
  }

  /** Run once, before anything else. @throws StorageFailed, NoSpace */
  async run(): Promise<RecoveryReport> {
    this.#report = { completed: 0, finishing: 0, open: 0, cutBytes: 0, lostBytes: 0, sweptParts: 0 };
    const { reads } = this.#context;
    for (let page = reads.unfinished('', PAGE_ROWS); page.length > 0;) {
      for (const row of page) await this.#repair(row);
      page = reads.unfinished(page.at(-1)?.id ?? '', PAGE_ROWS);
    }
    await this.#sweepParts();
    if (this.#report.lostBytes > 0) this.#context.log.error('media.lost-bytes', { lostBytes: this.#report.lostBytes });
    return this.#report;
  }

  async #repair(row: UploadRow): Promise<void> {
    const { store, rows } = this.#context;
    const id = parseUploadId(row.id);
    const repair = repairOf(row, {
      partBytes: (await store.statPart(id))?.sizeBytes,
      blobBytes: row.fin_sha256 === null ? undefined : (await store.stat(parseSha256(row.fin_sha256)))?.sizeBytes,
    });
    switch (repair.kind) {
      case 'complete':
        await this.#finisher.finish(id);
        this.#report.completed++;
        return;
      case 'finish':
        await this.#cut(row, repair.cutBytes);
        this.#report.finishing++;
        this.#context.inBackground(`finish ${id}`, () => this.#finishLate(row)); // hashing again may take minutes
        return;
      case 'wait':
        await this.#cut(row, repair.cutBytes);
        this.#report.open++;
        return;
      case 'forget':
        await rows.write(dropUpload(rows.query, row)); // its part is swept below
        return;
      case 'lower':
        await rows.write(lowerOffset(rows.query, row.id, repair.offsetBytes));
        this.#report.lostBytes += repair.lostBytes;
        this.#report.open++;
    }
  }

  async #cut(row: UploadRow, cutBytes: number): Promise<void> {
    if (cutBytes === 0) return;
    await using part = await this.#context.store.openPart(parseUploadId(row.id));
    await part.truncate(row.offset_bytes);
    this.#report.cutBytes += cutBytes;
  }

  /** A wrong hash is an answer, not a fault of recovery: the upload is gone, as its sender would have been told. */
  async #finishLate(row: UploadRow): Promise<void> {
    try {
      await this.#finisher.finish(parseUploadId(row.id));
    } catch (error) {
      this.#context.log.warn('media.late-finish-failed', { upload: row.id, error });
    }
  }

  async #sweepParts(): Promise<void> {
    const { store, reads } = this.#context;
    for await (const id of store.listParts()) {
      const upload = reads.upload(id);
      if (upload !== undefined && upload.state !== 'finished') continue;
      await (await store.openPart(id)).discard();
      this.#report.sweptParts++;
    }
  }
}
