/** What went wrong where nobody waits for an answer: shown once as a notice, the latest few only. */
import { create } from 'zustand';
import { codeOf } from '../api/http.ts';
import { Cancelled } from '../../../src/base/errors.ts';

export interface Problem {
  readonly id: number;
  readonly code: string;
  readonly detail: string;
}

interface ProblemState {
  readonly problems: readonly Problem[];
}

const MAX_SHOWN = 3;
let nextId = 1;

export const useProblems = create<ProblemState>(() => ({ problems: [] }));

/** Shows the failure to the user; what the user cancelled is no problem. */
export function reportProblem(error: unknown): void {
  if (error instanceof Cancelled) return;
  const detail = error instanceof Error ? error.message : String(error);
  const problem = { id: nextId++, code: codeOf(error), detail };
  const isKnown = useProblems.getState().problems.some((shown) => shown.detail === detail);
  if (!isKnown) useProblems.setState(({ problems }) => ({ problems: [...problems, problem].slice(-MAX_SHOWN) }));
}

export function dismissProblem(id: number): void {
  useProblems.setState(({ problems }) => ({ problems: problems.filter((problem) => problem.id !== id) }));
}

/** Runs work from an event handler, where nobody awaits it; its failure becomes a notice. */
export function inBackground(work: Promise<unknown>): void {
  work.catch(reportProblem);
}
