/**
 * The first file of a `multipart/form-data` body as a byte stream, while the form is still arriving. Nothing is kept on
 * disk or in memory beyond the chunk in hand; names and fields are bounded before they are looked at.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { AppError, InvalidInput, UnsupportedType } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';

const LIMITS = {
  files: 1,
  fields: 16,
  parts: 24,
  fieldNameSize: 100,
  fieldSize: 4 * KIB,
  headerPairs: 32,
  headerSize: 8 * KIB,
};

export interface FormFile {
  readonly name: string;
  readonly declaredType: string;
  /** Fields that came before the file. */
  readonly fields: ReadonlyMap<string, string>;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Feeds `body` through the form and hands its file to `take`. Resolves with what `take` gives, once the whole form was
 * read. @throws InvalidInput for a broken form or one without a file, UnsupportedType for another body, and what `take` throws.
 */
export async function withFormFile<Result>(
  headers: IncomingHttpHeaders,
  body: AsyncIterable<Uint8Array>,
  take: (file: FormFile) => Promise<Result>,
): Promise<Result> {
  const form = openForm(headers);
  const failed = Promise.withResolvers<never>();
  form.on('error', (cause) => failed.reject(new InvalidInput('the form is broken', {}, { cause })));
  form.on('filesLimit', () => failed.reject(new InvalidInput('send one file per request')));
  const taking = takeFirst(form, failed.promise, take);
  taking.result.catch(failed.reject); // whoever fails first ends the other too
  try {
    const pumping = pump(body, form, { stream: taking.stream, failed: failed.promise });
    const [result] = await Promise.race([Promise.all([taking.result, pumping]), failed.promise]);
    return result;
  } finally {
    taking.stream()?.destroy();
    await taking.settled(); // whoever is refused finds nothing of its file behind
  }
}

function openForm(headers: IncomingHttpHeaders): BusboyInstance {
  const type = headers['content-type'];
  if (type === undefined || !/^multipart\/form-data\s*;/i.test(type)) {
    throw new UnsupportedType('send multipart/form-data with one file');
  }
  try {
    return new Busboy({ headers: { ...headers, 'content-type': type }, limits: LIMITS });
  } catch (cause) {
    throw new InvalidInput('the form has no boundary', {}, { cause });
  }
}

interface Taking<Result> {
  readonly result: Promise<Result>;
  readonly stream: () => BusboyFileStream | undefined;
  /** Resolves when `take`, if it was called, has ended one way or the other. */
  readonly settled: () => Promise<unknown>;
}

function takeFirst<Result>(
  form: BusboyInstance,
  failed: Promise<never>,
  take: (file: FormFile) => Promise<Result>,
): Taking<Result> {
  const fields = new Map<string, string>();
  const wholeForm = Promise.withResolvers<void>();
  form.once('finish', wholeForm.resolve);
  failed.catch(wholeForm.reject);
  wholeForm.promise.catch(() => undefined); // the reader of the file hears of it, where there is one
  let settled: Promise<unknown> = Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  let current: BusboyFileStream | undefined;
  form.on('field', (name, value) => fields.set(name, value));
  form.once('file', (_field, stream, filename, _encoding, declaredType) => {
    current = stream;
    stream.on('error', () => undefined); // the reader sees it too, and tells
    const bytes = chunksOf(stream, wholeForm.promise);
    settled = take({ name: filename ?? '', declaredType, fields, bytes }).then(resolve, reject);
  });
  form.once('finish', () => {
    if (current === undefined) reject(new InvalidInput('the form holds no file'));
  });
  return { result: promise, stream: () => current, settled: () => settled };
}

/** Ends only when the form around the file has turned out whole, so that nothing of a broken one is stored. */
async function* chunksOf(
  stream: BusboyFileStream,
  wholeForm: Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
    await wholeForm;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new InvalidInput('the form ended in the middle of the file', {}, { cause: error });
  }
}

interface PumpEnd {
  readonly stream: () => BusboyFileStream | undefined;
  /** Rejects when there is no use in reading on. */
  readonly failed: Promise<never>;
}

/** One chunk at a time; the parser's callback is its back-pressure. */
async function pump(body: AsyncIterable<Uint8Array>, form: BusboyInstance, { stream, failed }: PumpEnd): Promise<void> {
  // A promise per chunk, and no race with `failed`: that one would collect a reaction per chunk until the form ends.
  let giveUp: (error: unknown) => void = () => undefined;
  let failure: { readonly error: unknown } | undefined;
  failed.catch((error: unknown) => {
    failure = { error };
    giveUp(error);
  });
  try {
    for await (const chunk of body) {
      await new Promise<void>((resolve, reject) => {
        giveUp = reject;
        if (failure === undefined) form.write(chunk, (error) => (error ? reject(error) : resolve()));
        else reject(failure.error);
      });
    }
    form.end();
  } catch (error) {
    stream()?.destroy(error instanceof Error ? error : undefined);
    throw error;
  }
}
