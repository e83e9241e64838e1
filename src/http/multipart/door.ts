/** `POST /api/v1/media`: one file by form, for curl, ShareX and plain HTML. Answers the medium as JSON. */
import type { Claim } from '../../accounts/claim.ts';
import type { MediumInfo } from '../../base/api.ts';
import { parseSha256 } from '../../base/ids.ts';
import type { Medium, UploadWish } from '../../media/medium.ts';
import { leaveBody, type BodyReader } from '../body.ts';
import { claimOf, type ClaimSource } from '../credentials.ts';
import type { Exchange } from '../delivery/sender.ts';
import type { MediaIntake } from '../ports.ts';
import { withFormFile, type FormFile } from './form.ts';

export interface MultipartDeps {
  readonly media: MediaIntake;
  readonly accounts: ClaimSource;
  readonly describe: (medium: Medium, claim: Claim) => MediumInfo;
  readonly openBody: (exchange: Exchange) => BodyReader;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

export class MultipartDoor {
  readonly #deps: MultipartDeps;

  constructor(deps: MultipartDeps) {
    this.#deps = deps;
  }

  /** @throws AppError */
  async answer(exchange: Exchange): Promise<void> {
    const { media, accounts, describe, openBody, stopping } = this.#deps;
    const { request, response } = exchange;
    const claim = await claimOf(accounts, request);
    const { medium, isNew } = await withFormFile(request.headers, openBody(exchange).chunks(), (file) =>
      media.ingest(claim, file.bytes, wishOf(file), stopping),
    );
    const info = describe(medium, claim);
    const body = JSON.stringify(info);
    leaveBody(request, response);
    response.writeHead(isNew ? 201 : 200, {
      'access-control-allow-origin': '*',
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      location: info.url,
    });
    response.end(body);
  }
}

/** @throws InvalidInput for a malformed `sha256` field. */
function wishOf(file: FormFile): UploadWish {
  const sha256 = file.fields.get('sha256');
  return {
    name: file.name === '' ? 'upload' : file.name,
    declaredType: file.declaredType,
    ...(sha256 === undefined ? {} : { sha256: parseSha256(sha256.toLowerCase()) }),
  };
}
