/** The one error of the guard: alike for a closed port, an inner address and a 404, so that nobody maps a network by it. */
import { AppError } from '../../base/errors.ts';

export type FetchReason =
  | 'url'
  | 'port'
  | 'name'
  | 'address'
  | 'connection'
  | 'redirects'
  | 'status'
  | 'encoding'
  | 'size'
  | 'slow';

/** Something was not fetched. `reason` is for our log and for a person at this machine, never for whoever named the URL. */
export class FetchFailed extends AppError {
  override readonly code = 'fetch_failed';
  readonly reason: FetchReason;
  /** With the reason `status`. */
  readonly statusCode: number | undefined;

  constructor(reason: FetchReason, options: ErrorOptions & { readonly statusCode?: number } = {}) {
    super('this could not be fetched', {}, options);
    this.reason = reason;
    this.statusCode = options.statusCode;
  }
}
