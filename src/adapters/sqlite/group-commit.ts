/**
 * Many atomic units in one transaction: one sync acknowledges them all. Invariant: a unit is written whole or not at
 * all, and no outcome is reported before the transaction that carries it is committed.
 */
import type { SQLInputValue } from 'node:sqlite';
import type { StepResult } from '../../store/rows.ts';
import type { Connection } from './connection.ts';
import { failureOf, isDuplicate } from './failures.ts';
import type { SqliteFailure } from './failures.ts';

export interface Step {
  readonly sql: string;
  readonly parameters: SQLInputValue[];
  readonly expectChanges?: number;
}

export type Unit = readonly Step[];

export type Outcome =
  | { readonly kind: 'written'; readonly results: readonly StepResult[] }
  | { readonly kind: 'refused'; readonly step: number }
  | { readonly kind: 'failed'; readonly failure: SqliteFailure };

/** Writes the units, each in a savepoint of its own, and commits. Outcomes are in the units' order. */
export function commitGroup(connection: Connection, units: readonly Unit[]): readonly Outcome[] {
  const { database } = connection;
  try {
    database.exec('BEGIN IMMEDIATE');
    const outcomes = units.map((unit) => runUnit(connection, unit));
    database.exec('COMMIT');
    return outcomes;
  } catch (error) {
    const failure = failureOf(error);
    try {
      if (database.isTransaction) database.exec('ROLLBACK');
    } catch (rollbackError) {
      return units.map(() => ({ kind: 'failed', failure: { ...failureOf(rollbackError), kind: 'broken' } }));
    }
    return units.map(() => ({ kind: 'failed', failure }));
  }
}

/** A failure of the database itself ends the whole group; one of the unit ends the unit. */
function runUnit(connection: Connection, unit: Unit): Outcome {
  const { database } = connection;
  database.exec('SAVEPOINT unit');
  const results: StepResult[] = [];
  for (const [index, step] of unit.entries()) {
    try {
      const result = runStep(connection, step);
      results.push(result);
      if (step.expectChanges === undefined || step.expectChanges === result.changes) continue;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== 'statement') throw error;
      if (!isDuplicate(error)) return undo(connection, { kind: 'failed', failure });
    }
    return undo(connection, { kind: 'refused', step: index });
  }
  database.exec('RELEASE unit');
  return { kind: 'written', results };
}

function undo(connection: Connection, outcome: Outcome): Outcome {
  connection.database.exec('ROLLBACK TO unit; RELEASE unit');
  return outcome;
}

function runStep(connection: Connection, step: Step): StepResult {
  const { statement, hasRows } = connection.prepare(step.sql);
  if (hasRows) {
    const rows = statement.all(...step.parameters);
    return { changes: rows.length, rows };
  }
  return { changes: Number(statement.run(...step.parameters).changes), rows: [] };
}
