/**
 * The seam to the database. Reads are queries on the calling thread; writes are atomic units of ready-made statements,
 * so that they can cross to one writer thread, be group-committed and synced there, and never stall an event loop.
 */
import type { CompiledQuery, Kysely } from 'kysely';
import { Conflict } from '../base/errors.ts';

export interface WriteStep {
  readonly query: CompiledQuery;
  /** The unit is rolled back and `WriteRefused` thrown unless exactly so many rows are changed. */
  readonly expectChanges?: number;
}

export interface StepResult {
  readonly changes: number;
  /** Rows of a RETURNING clause. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** A guard of an atomic unit did not hold; nothing of the unit was written. `step` is its index. */
export class WriteRefused extends Conflict {
  readonly step: number;

  constructor(step: number) {
    super('a concurrent change came first', { step });
    this.step = step;
  }
}

export interface Rows<Tables> {
  /** SELECT only; also the builder for `write` (`rows.query.insertInto(…).values(…).compile()`). */
  readonly query: Kysely<Tables>;
  /** Runs a compiled SELECT at once, on the calling thread; for hot paths and for decisions nothing may interleave with. */
  read<Row>(query: CompiledQuery<Row>): readonly Row[];
  /** Runs the steps as one transaction; resolves once it would survive a power cut. @throws WriteRefused, NoSpace, StorageFailed */
  write(steps: readonly WriteStep[]): Promise<readonly StepResult[]>;
  close(): Promise<void>;
}

/** One schema change, in the order of `name` (`0001_media`); never edited once released. SQL both dialects accept. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}
