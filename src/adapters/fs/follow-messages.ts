/** What passes between `follower-pool.ts` and its threads. `job` numbers are the pool's. */
import type { ContentDigest } from '../../store/follower.ts';

export type ToFollowThread =
  | { readonly kind: 'follow'; readonly job: number; readonly file: string; readonly sizeBytes: number | undefined }
  | { readonly kind: 'advance'; readonly job: number; readonly availableBytes: number }
  | { readonly kind: 'finish'; readonly job: number; readonly sizeBytes: number }
  | { readonly kind: 'abandon'; readonly job: number };

export type FromFollowThread =
  | { readonly kind: 'hashed'; readonly job: number; readonly hashedBytes: number }
  | { readonly kind: 'done'; readonly job: number; readonly digest: ContentDigest }
  | { readonly kind: 'failed'; readonly job: number; readonly message: string; readonly errno: string | undefined };
