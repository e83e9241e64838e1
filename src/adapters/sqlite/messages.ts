/** What passes between `writer.ts` and its thread. */
import type { Synchronous } from './connection.ts';
import type { Outcome, Unit } from './group-commit.ts';

export interface WriterSetup {
  readonly file: string;
  readonly synchronous: Synchronous;
}

export type ToWriter = { readonly kind: 'group'; readonly units: readonly Unit[] } | { readonly kind: 'close' };

export interface FromWriter {
  readonly outcomes: readonly Outcome[];
}
