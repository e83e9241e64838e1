/**
 * A sender that writes down every promise the server made, and every promise it broke. What counts as a promise: an
 * offset or a blob that was acknowledged, by whatever answer, before or after a crash.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { seededBytes } from '../support/random-bytes.ts';

const PATCH_BYTES = 65_536;
/** Old files are removed again, so that removal is under fire too and the disk stays small. */
const MAX_KEPT_FILES = 12;
const SETTLE_MS = 2_000;
const MAX_MOMENT_MS = 50;

interface SentFile {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly url: string | undefined;
  /** Acknowledged. */
  offset: number;
  isDone: boolean;
  isBusy: boolean;
}

export class Ledger {
  /** Promises broken, as sentences; must stay empty. */
  readonly broken: string[] = [];
  readonly #random: () => number;
  readonly #files: SentFile[] = [];
  #created = 0;
  #finished = 0;
  #answers = 0;
  /** Those who wait for progress. */
  #waiting: { readonly answers: number; readonly resolve: () => void }[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  get finished(): number {
    return this.#finished;
  }

  /** Resolves after so many more answers of a server. */
  progress(answers: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ answers: this.#answers + answers, resolve });
    this.#wake();
    return promise;
  }

  /** Sends file after file until the signal aborts; a server that dies in between is no surprise. */
  async send(baseUrl: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#step(baseUrl, signal);
        this.#answers++;
        this.#wake();
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        if (!signal.aborted) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  /** Sends one file of `sizeBytes` in three pieces, or what is missing of it. Resolves with whether the server lived on. */
  async sendOne(baseUrl: string, sizeBytes: number): Promise<boolean> {
    const signal = new AbortController().signal;
    try {
      const file = this.#files.at(-1) ?? (await this.#begin(baseUrl, sizeBytes, signal));
      while (!file.isDone && this.broken.length === 0) {
        await this.#continue(baseUrl, file, Math.ceil(sizeBytes / 3), signal);
      }
      return true;
    } catch (error) {
      if (isConnectionLoss(error)) return false;
      throw error;
    }
  }

  /** Fetches everything that was promised; used while nothing is being sent. */
  async check(baseUrl: string): Promise<void> {
    for (const file of this.#files) {
      if (file.isDone) await this.#checkBlob(baseUrl, file);
      else await this.#look(baseUrl, file, new AbortController().signal);
    }
  }

  /** As `check`. Recovery finishes hashing in the background, so a blob may come a moment later; but come it must. */
  async checkWhenSettled(baseUrl: string): Promise<void> {
    const before = this.broken.length;
    const isKept = async (): Promise<boolean> => {
      this.broken.length = before;
      await this.check(baseUrl);
      return this.broken.length === before;
    };
    await eventually('every promise is kept', isKept, { timeoutMs: SETTLE_MS }).catch(() => undefined); // it is in `broken`
  }

  /** The report of a recovery: lost bytes are a broken promise. */
  note(report: { readonly lostBytes: number } | undefined): void {
    if (report !== undefined && report.lostBytes > 0)
      this.broken.push(`recovery counted ${report.lostBytes} lost bytes`);
  }

  async #step(baseUrl: string, signal: AbortSignal): Promise<void> {
    const file = this.#files.find((candidate) => !candidate.isDone && !candidate.isBusy);
    if (file !== undefined) await this.#alone(file, () => this.#continue(baseUrl, file, this.#nextPatch(), signal));
    else if (this.#files.length > MAX_KEPT_FILES) await this.#removeOldest(baseUrl, signal);
    else if (this.#random() < 0.2) await this.#putOneShot(baseUrl, signal);
    else await this.#begin(baseUrl, this.#nextSize(), signal);
  }

  /** Mostly small; now and then large enough that windows are synced on the way. */
  #nextSize(): number {
    return this.#random() < 0.05 ? 9_000_000 : 1 + Math.floor(this.#random() * 300_000);
  }

  #nextPatch(): number {
    return this.#random() < 0.2 ? Infinity : PATCH_BYTES;
  }

  async #begin(baseUrl: string, sizeBytes: number, signal: AbortSignal): Promise<SentFile> {
    const bytes = seededBytes(`crash ${this.#created++}`, sizeBytes);
    const headers = { 'upload-length': String(sizeBytes) };
    const response = await fetch(`${baseUrl}/upload`, { method: 'POST', headers, signal });
    const file = this.#newFile(bytes, response.headers.get('location') ?? undefined);
    this.#files.push(file);
    return file;
  }

  #newFile(bytes: Uint8Array, url: string | undefined): SentFile {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { bytes, sha256, url, offset: 0, isDone: false, isBusy: false };
  }

  /** Nothing is promised before the answer. */
  async #putOneShot(baseUrl: string, signal: AbortSignal): Promise<void> {
    const file = this.#newFile(
      seededBytes(`crash ${this.#created++}`, 1 + Math.floor(this.#random() * 200_000)),
      undefined,
    );
    const body = file.bytes.slice();
    const response = await fetch(`${baseUrl}/blob`, { method: 'PUT', body, signal });
    if (response.status !== 201)
      return void this.broken.push(`a one-shot upload was refused: ${await response.text()}`);
    this.#complete(file);
    this.#files.push(file);
  }

  async #continue(baseUrl: string, file: SentFile, patchBytes: number, signal: AbortSignal): Promise<void> {
    await this.#look(baseUrl, file, signal);
    if (file.isDone) return;
    const body = file.bytes.slice(file.offset, file.offset + patchBytes);
    const headers = { 'upload-offset': String(file.offset) };
    const response = await fetch(`${baseUrl}${file.url ?? ''}`, { method: 'PATCH', headers, body, signal });
    if (response.status !== 204) return void this.broken.push(`an append was refused: ${await response.text()}`);
    await response.arrayBuffer();
    this.#acknowledge(file, Number(response.headers.get('upload-offset')));
  }

  /** Asks for the offset. It may have grown (an answer was lost), never shrunk. */
  async #look(baseUrl: string, file: SentFile, signal: AbortSignal): Promise<void> {
    const response = await fetch(`${baseUrl}${file.url ?? ''}`, { method: 'HEAD', signal });
    if (response.status === 404) {
      this.broken.push(`an upload is gone that was acknowledged up to ${file.offset} of ${file.bytes.length}`);
      file.isDone = true;
      return;
    }
    this.#acknowledge(file, Number(response.headers.get('upload-offset')));
  }

  #acknowledge(file: SentFile, offset: number): void {
    if (offset < file.offset) this.broken.push(`an offset fell from ${file.offset} to ${offset}`);
    file.offset = offset;
    if (offset === file.bytes.length) this.#complete(file);
  }

  #complete(file: SentFile): void {
    file.isDone = true;
    this.#finished++;
  }

  /** After a crash HEAD may call an upload complete that is still being hashed; `checkWhenSettled` insists on it later. */
  async #isThere(baseUrl: string, file: SentFile, signal: AbortSignal): Promise<boolean> {
    const response = await fetch(`${baseUrl}/blob/${file.sha256}`, { signal });
    await response.arrayBuffer();
    return response.status !== 404;
  }

  async #checkBlob(baseUrl: string, file: SentFile): Promise<void> {
    const response = await fetch(`${baseUrl}/blob/${file.sha256}`);
    if (response.status !== 200) {
      this.broken.push(`an acknowledged blob of ${file.bytes.length} bytes is not there: ${response.status}`);
      return;
    }
    const got = createHash('sha256')
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest('hex');
    if (got !== file.sha256) this.broken.push(`a blob was served with the hash ${got} instead of ${file.sha256}`);
  }

  /** A removal whose answer was lost may or may not have happened, so the file is forgotten first. */
  async #removeOldest(baseUrl: string, signal: AbortSignal): Promise<void> {
    const file = this.#files.find((candidate) => candidate.isDone && !candidate.isBusy);
    if (file === undefined) return;
    await this.#alone(file, async () => {
      if (!(await this.#isThere(baseUrl, file, signal))) return;
      await this.#checkBlob(baseUrl, file);
      this.#files.splice(this.#files.indexOf(file), 1);
      await fetch(`${baseUrl}/blob/${file.sha256}`, { method: 'DELETE', signal });
    });
  }

  #wake(): void {
    for (const waiting of this.#waiting) if (waiting.answers <= this.#answers) waiting.resolve();
    this.#waiting = this.#waiting.filter((waiting) => waiting.answers > this.#answers);
  }

  async #alone(file: SentFile, work: () => Promise<void>): Promise<void> {
    file.isBusy = true;
    try {
      await work();
    } finally {
      file.isBusy = false;
    }
  }
}

/** What `fetch` throws when the server is gone, or when the test stops sending. */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'AbortError');
}

/** Any moment will do, once something has happened: after a few answers, or in the middle of the next. */
export async function untilSomeMoment(ledger: Ledger, random: () => number): Promise<void> {
  await ledger.progress(1 + Math.floor(random() * 8));
  await delay(random() * MAX_MOMENT_MS);
}
