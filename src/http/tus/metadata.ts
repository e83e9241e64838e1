/** `Upload-Metadata` (tus creation) as an UploadWish and back. Only the keys of `UploadMetadata` are read and kept. */
import { InvalidInput } from '../../base/errors.ts';
import { parseInfoHashV1, parseSha256 } from '../../base/ids.ts';
import type { Upload as TusUpload } from '@tus/server';
import type { Upload, UploadWish } from '../../media/medium.ts';

const MAX_NAME_CHARS = 1_024;
const TYPE = /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(?:\s*;.{0,128})?$/;

type Metadata = NonNullable<TusUpload['metadata']>;

/** @throws InvalidInput when a value that is checked later is malformed now. */
export function wishFromMetadata(metadata: TusUpload['metadata'], sizeBytes: number | undefined): UploadWish {
  const value = (key: string): string | undefined => metadata?.[key] ?? undefined;
  const name = value('filename') ?? value('name') ?? '';
  const type = value('filetype') ?? value('type');
  const sha256 = value('sha256');
  const infoHash = value('infohash');
  if (name.length > MAX_NAME_CHARS) throw new InvalidInput('the file name is too long', { maxChars: MAX_NAME_CHARS });
  return {
    name: name === '' ? 'upload' : name,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(type !== undefined && TYPE.test(type) ? { declaredType: type } : {}),
    ...(sha256 === undefined ? {} : { sha256: parseSha256(sha256.toLowerCase()) }),
    ...(infoHash === undefined ? {} : { infoHash: parseInfoHashV1(infoHash) }),
  };
}

/** What a HEAD shows again. */
export function metadataOf(upload: Upload): Metadata {
  return {
    filename: upload.name,
    ...(upload.declaredType === undefined ? {} : { filetype: upload.declaredType }),
    ...(upload.sha256 === undefined ? {} : { sha256: upload.sha256 }),
    ...(upload.infoHash === undefined ? {} : { infohash: upload.infoHash }),
  };
}
