/** What an upload says about itself before its body: Blossom's request headers as an UploadWish (BUD-02, BUD-06). */
import type { IncomingHttpHeaders } from 'node:http';
import { InvalidInput, LengthRequired } from '../../base/errors.ts';
import { parseSha256, type Sha256 } from '../../base/ids.ts';
import { extensionFor } from '../extension.ts';
import { singleHeader } from '../headers.ts';
import type { UploadWish } from '../../media/medium.ts';

const TYPE = /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(?:\s*;.{0,128})?$/;

interface WishHeaders {
  readonly size: string;
  readonly type: string;
}

/** Of `PUT /upload`. @throws InvalidInput, LengthRequired */
export function putWish(headers: IncomingHttpHeaders): UploadWish {
  return wishFrom(headers, { size: 'content-length', type: 'content-type' });
}

/** Of `HEAD /upload`, which names in `X-` headers what the PUT will carry. @throws InvalidInput, LengthRequired */
export function headWish(headers: IncomingHttpHeaders): UploadWish {
  return wishFrom(headers, { size: 'x-content-length', type: 'x-content-type' });
}

function wishFrom(headers: IncomingHttpHeaders, names: WishHeaders): UploadWish {
  const sha256 = declaredSha256(headers);
  const declaredType = declaredTypeOf(singleHeader(headers, names.type), names.type);
  const sizeBytes = sizeOf(singleHeader(headers, names.size), names.size);
  const name = `upload.${extensionFor(declaredType ?? '', '')}`;
  return {
    name,
    sizeBytes,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(declaredType === undefined ? {} : { declaredType }),
  };
}

/** `X-SHA-256`. @throws InvalidInput when malformed. */
export function declaredSha256(headers: IncomingHttpHeaders): Sha256 | undefined {
  const header = singleHeader(headers, 'x-sha-256');
  return header === undefined ? undefined : parseSha256(header.trim().toLowerCase());
}

function sizeOf(header: string | undefined, name: string): number {
  if (header === undefined) throw new LengthRequired(`send the size in bytes in the ${name} header`);
  const sizeBytes = Number(header);
  if (!/^\d+$/.test(header) || !Number.isSafeInteger(sizeBytes)) {
    throw new InvalidInput(`${name} is not a number of bytes`);
  }
  return sizeBytes;
}

function declaredTypeOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header === '') return undefined;
  if (!TYPE.test(header)) throw new InvalidInput(`${name} is not a media type`);
  return header;
}
