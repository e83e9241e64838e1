/**
 * Runs uploads: hash and seed from this browser, then send. At most one file is hashed and two are sent at a time. What a
 * reload needs is recorded before it is needed; everything else can be found out again.
 */
import type { Clock } from '../../../src/base/clock.ts';
import { AppError, Cancelled, HashMismatch } from '../../../src/base/errors.ts';
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';
import type { SeededFile, SeedOptions } from '../swarm/index.ts';
import { Gate } from './gate.ts';
import { newItem, reduceItem, type FileHash, type UploadEvent, type UploadItem } from './item.ts';
import type { UploadRecord, UploadRecords } from './records.ts';
import type { TransferJob, TransferListener } from './tus.ts';

/** More at once would neither be readable nor useful. */
export const MAX_UPLOADS = 500;
const HASHES_AT_ONCE = 1;
const TRANSFERS_AT_ONCE = 2;

export interface PickedFile {
  readonly file: File;
  readonly handle?: FileSystemFileHandle;
}

export interface UploadPorts {
  readonly clock: Clock;
  readonly records: UploadRecords;
  newId(): string;
  seed(file: File, options: SeedOptions): Promise<SeededFile>;
  /** Stops seeding what the user did not mean to publish after all. */
  unseed(infoHash: InfoHashV1): Promise<void>;
  transfer(job: TransferJob, listener: TransferListener, signal: AbortSignal): Promise<void>;
  terminate(uploadUrl: string): Promise<void>;
  isStored(sha256: Sha256): Promise<boolean>;
  /** Whether this tab may work on the upload: false while another one does. */
  claim(id: string): Promise<boolean>;
  /** The file behind a handle if the browser opens it without asking the user. */
  reopen(handle: FileSystemFileHandle): Promise<File | undefined>;
  /** Called with every change of the list, newest upload first. */
  show(items: readonly UploadItem[]): void;
  /** Work nobody awaits has failed. */
  report(error: unknown): void;
}

interface Running {
  record: UploadRecord;
  item: UploadItem;
  file: File | undefined;
  /** Set while the upload is being worked on. */
  controller: AbortController | undefined;
}

export class UploadManager {
  readonly #ports: UploadPorts;
  readonly #uploads = new Map<string, Running>();
  readonly #hashing = new Gate(HASHES_AT_ONCE);
  readonly #sending = new Gate(TRANSFERS_AT_ONCE);

  constructor(ports: UploadPorts) {
    this.#ports = ports;
  }

  /** Takes files in; gives how many were taken (the list is bounded). */
  add(picked: readonly PickedFile[]): number {
    const taken = picked.slice(0, Math.max(0, MAX_UPLOADS - this.#uploads.size));
    for (const { file, handle } of taken) {
      const facts = { id: this.#ports.newId(), name: file.name, type: file.type, sizeBytes: file.size };
      const record = { ...facts, createdAtMs: this.#ports.clock.nowMs(), isPaused: false, ...(handle && { handle }) };
      this.#begin({ record, item: newItem(facts), file, controller: undefined });
    }
    this.#show();
    return taken.length;
  }

  /** Brings back what an earlier visit left unfinished. */
  async restore(): Promise<void> {
    for (const record of await this.#ports.records.list()) {
      if (this.#uploads.has(record.id) || this.#uploads.size >= MAX_UPLOADS) continue;
      if (!(await this.#ports.claim(record.id))) continue;
      if (record.hash !== undefined && (await this.#ports.isStored(record.hash.sha256))) {
        await this.#ports.records.remove(record.id);
        continue;
      }
      await this.#restoreOne(record);
    }
    this.#show();
  }

  pause(id: string): void {
    this.#stop(id, { kind: 'paused' });
    this.#remember(id, { isPaused: true });
  }

  /** Goes on after a pause or a failure; asks for the file where it is not at hand. */
  resume(id: string): void {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.controller !== undefined) return;
    this.#remember(id, { isPaused: false });
    if (upload.file === undefined) this.#apply(id, { kind: 'file-needed', how: upload.record.handle ? 'ask' : 'pick' });
    else this.#start(upload);
  }

  /** The user gave the file again after a reload. @throws HashMismatch when its size says it is another one */
  provide(id: string, picked: PickedFile): void {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return;
    if (picked.file.size !== upload.item.sizeBytes)
      throw new HashMismatch('this is not the same file: its size differs');
    upload.file = picked.file;
    this.#remember(id, { isPaused: false, ...(picked.handle && { handle: picked.handle }) });
    this.#start(upload);
  }

  /** The handle the browser must ask the user about, if there is one. */
  handleOf(id: string): FileSystemFileHandle | undefined {
    return this.#uploads.get(id)?.record.handle;
  }

  /** Stops it and drops what the server has of it. */
  async cancel(id: string): Promise<void> {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return;
    upload.controller?.abort(new Cancelled('the upload was cancelled'));
    this.dismiss(id);
    const { uploadUrl, hash } = upload.record;
    if (hash?.infoHash !== undefined) await this.#ports.unseed(hash.infoHash);
    if (uploadUrl !== undefined) await this.#ports.terminate(uploadUrl);
  }

  /** Takes a finished upload off the list. */
  dismiss(id: string): void {
    this.#uploads.delete(id);
    this.#keep(this.#ports.records.remove(id));
    this.#show();
  }

  #begin(upload: Running): void {
    this.#uploads.set(upload.record.id, upload);
    this.#keep(this.#claimAndSave(upload.record));
    this.#start(upload);
  }

  /** Claimed before it is recorded, so that no other tab takes it for one left behind. */
  async #claimAndSave(record: UploadRecord): Promise<void> {
    await this.#ports.claim(record.id);
    const current = this.#uploads.get(record.id);
    if (current !== undefined) await this.#ports.records.save(current.record);
  }

  async #restoreOne(record: UploadRecord): Promise<void> {
    const file = record.handle === undefined ? undefined : await this.#ports.reopen(record.handle);
    const item = newItem(record, record.hash === undefined ? {} : { hash: record.hash });
    const upload: Running = { record, item, file, controller: undefined };
    this.#uploads.set(record.id, upload);
    if (file !== undefined && !record.isPaused) this.#start(upload);
    else if (file !== undefined) upload.item = reduceItem(item, { kind: 'paused' });
    else upload.item = reduceItem(item, { kind: 'file-needed', how: record.handle === undefined ? 'pick' : 'ask' });
  }

  #start(upload: Running): void {
    const controller = new AbortController();
    upload.controller = controller;
    this.#apply(upload.record.id, { kind: 'queued' });
    this.#keep(this.#run(upload, controller));
  }

  async #run(upload: Running, controller: AbortController): Promise<void> {
    const { id } = upload.record;
    const isCurrent = (): boolean => upload.controller === controller && this.#uploads.get(id) === upload;
    const emit = (event: UploadEvent): void => {
      if (isCurrent()) this.#apply(id, event);
    };
    try {
      const hash = await this.#hash(upload, emit, controller.signal);
      await this.#send(upload, hash, emit, controller.signal);
      emit({ kind: 'stored' });
      if (isCurrent()) await this.#ports.records.remove(id);
    } catch (error) {
      if (!controller.signal.aborted) emit({ kind: 'failed', ...describe(error) });
    } finally {
      if (upload.controller === controller) upload.controller = undefined;
    }
  }

  async #hash(upload: Running, emit: (event: UploadEvent) => void, signal: AbortSignal): Promise<FileHash> {
    const file = requireFile(upload);
    const seeded = await this.#hashing.pass(signal, async () => {
      emit({ kind: 'hashing' });
      const onProgress = ({ hashedBytes }: { hashedBytes: number }): void =>
        emit({ kind: 'hash-progress', hashedBytes, atMs: this.#ports.clock.monotonicMs() });
      return await this.#ports.seed(file, { onProgress, signal });
    });
    const { sha256, torrent } = seeded;
    const known = upload.record.hash;
    if (known !== undefined && known.sha256 !== sha256) {
      if (torrent !== undefined) await this.#ports.unseed(torrent.infoHash);
      throw new HashMismatch('this is not the same file as before');
    }
    const hash = { sha256, ...(torrent && { infoHash: torrent.infoHash }) };
    emit({ kind: 'hashed', hash });
    this.#remember(upload.record.id, { hash });
    return hash;
  }

  async #send(upload: Running, hash: FileHash, emit: (event: UploadEvent) => void, signal: AbortSignal): Promise<void> {
    const { name, uploadUrl, id } = upload.record;
    const job = { file: requireFile(upload), name, hash, ...(uploadUrl !== undefined && { uploadUrl }) };
    await this.#sending.pass(signal, async () => {
      emit({ kind: 'uploading' });
      const listener = {
        created: (url: string) => this.#remember(id, { uploadUrl: url }),
        sent: (sentBytes: number) => emit({ kind: 'sent', sentBytes, atMs: this.#ports.clock.monotonicMs() }),
        unreachable: () => emit({ kind: 'unreachable' }),
      };
      await this.#ports.transfer(job, listener, signal);
    });
  }

  #stop(id: string, event: UploadEvent): void {
    const upload = this.#uploads.get(id);
    const controller = upload?.controller;
    if (upload === undefined || controller === undefined) return;
    upload.controller = undefined;
    controller.abort(new Cancelled('the upload was paused'));
    this.#apply(id, event);
  }

  #apply(id: string, event: UploadEvent): void {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return;
    upload.item = reduceItem(upload.item, event);
    this.#show();
  }

  #remember(id: string, change: Partial<UploadRecord>): void {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return;
    upload.record = { ...upload.record, ...change };
    this.#keep(this.#ports.records.save(upload.record));
  }

  #show(): void {
    this.#ports.show([...this.#uploads.values()].map((upload) => upload.item).toReversed());
  }

  #keep(work: Promise<void>): void {
    work.catch((error: unknown) => this.#ports.report(error));
  }
}

function requireFile(upload: Running): File {
  if (upload.file === undefined) throw new HashMismatch('the file must be picked again');
  return upload.file;
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof AppError) return { code: error.code, message: error.message };
  return { code: 'unknown', message: error instanceof Error ? error.message : String(error) };
}
