/**
 * The one-shot door's use case: one body, one blob, or nothing at all. It is an upload nobody can come back to, so
 * whatever goes wrong leaves no trace.
 */
import type { Claim } from '../accounts/claim.ts';
import { InvalidInput } from '../base/errors.ts';
import type { Sha256, UploadId } from '../base/ids.ts';
import type { MediaContext } from './context.ts';
import type { Stored } from './finisher.ts';
import type { UploadWish } from './medium.ts';
import type { Uploads } from './uploads.ts';

/**
 * Stores a body. It is read and hashed even where its declared hash is held: what came is what counts.
 * @throws as `Uploads.create` and `Uploads.append`, and InvalidInput when the body ends before its declared length
 */
export async function ingest(
  { uploads, context }: { readonly uploads: Uploads; readonly context: MediaContext },
  claim: Claim,
  body: AsyncIterable<Uint8Array>,
  wish: UploadWish,
  signal: AbortSignal,
): Promise<Stored> {
  const upload = await uploads.create(claim, { ...wish, sha256: wish.sha256 ?? onlyBlobOf(claim) }, 'single');
  try {
    const received = await uploads.receive(claim, upload.id, 0, body, signal);
    if (wish.sizeBytes !== undefined && received.offset_bytes < wish.sizeBytes) {
      const facts = { sizeBytes: wish.sizeBytes, receivedBytes: received.offset_bytes };
      throw new InvalidInput('the body ended before its declared length', facts);
    }
    return await uploads.finishAsItIs(claim, upload.id, signal);
  } catch (error) {
    await forget(uploads, context, upload.id);
    throw error;
  }
}

/** A token signed for one blob says which one comes. */
function onlyBlobOf(claim: Claim): Sha256 | undefined {
  if (claim.kind !== 'key' || claim.blobs?.size !== 1) return undefined;
  return claim.blobs.values().next().value;
}

/** What cannot be removed now (the disk failed, or hashing goes on) is removed at the next start or by expiry. */
async function forget(uploads: Uploads, context: MediaContext, id: UploadId): Promise<void> {
  const row = context.reads.upload(id);
  if (row === undefined) return;
  try {
    await uploads.drop(row);
  } catch (error) {
    context.log.warn('media.leftover', { upload: id, error });
  }
}
