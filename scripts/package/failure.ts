/** What ends packaging on purpose; the message is for the person who ran it. */
import { AppError } from '../../src/base/errors.ts';

/** The package cannot be made from these sources, or a tool it needs failed. */
export class PackagingFailed extends AppError {
  override readonly code = 'packaging_failed';
}
