/**
 * Puts a parser on trial: thousands of hostile inputs, each of which must end in a value or a typed error, within 50 ms of
 * work and 32 MB. The worst inputs are tried again alone, up to five times, and the best of those counts: a busy machine or
 * a garbage collection cannot convict, a slow algorithm cannot escape.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { AppError } from '../../../src/base/errors.ts';
import { MIB } from '../../../src/base/units.ts';
import { hostileBytes } from './hostile-bytes.ts';

export const MAX_CASE_MS = 50;
export const MAX_CASE_BYTES = 32 * MIB;
const RETRIES = 5;
/** Inputs tried again, the slowest and the hungriest. */
const WORST_KEPT = 3;

export interface Subject {
  readonly name: string;
  /** Valid messages, to be spoiled. */
  readonly corpus: readonly Uint8Array[];
  /** Large inputs aimed at this parser: as long as it takes them, as deep, as many. */
  readonly extremes?: readonly Uint8Array[];
  /** May throw `AppError` only. */
  parse(bytes: Uint8Array): unknown;
}

export interface Verdict {
  readonly cases: number;
  readonly accepted: number;
  readonly slowestMs: number;
  readonly hungriestBytes: number;
}

interface Outcome {
  readonly isAccepted: boolean;
  readonly value: unknown;
}

interface Cost {
  readonly tookMs: number;
  readonly tookBytes: number;
}

interface Case {
  readonly input: Uint8Array;
  readonly cost: number;
}

/** Tries the parser on that many inputs. @throws what the parser threw, if that was no AppError (with the input's replay). */
export function tryParser(subject: Subject, options: { readonly cases: number; readonly seed: number }): Verdict {
  const slow: Case[] = [];
  const hungry: Case[] = [];
  let accepted = 0;
  const observe = (input: Uint8Array): void => {
    const cost = costOf(subject, input);
    if (cost.isAccepted) accepted++;
    keepWorst(slow, { input, cost: cost.tookMs });
    keepWorst(hungry, { input, cost: cost.tookBytes });
  };
  for (const input of subject.corpus) observe(input);
  for (const input of subject.extremes ?? []) keepWorst(slow, { input, cost: costOf(subject, input).tookMs });
  fc.assert(fc.property(hostileBytes(subject.corpus), observe), { numRuns: options.cases, seed: options.seed });
  return {
    cases: options.cases + subject.corpus.length + (subject.extremes?.length ?? 0),
    accepted,
    slowestMs: Math.max(...slow.map(({ input }) => leastOf(() => costOf(subject, input).tookMs, MAX_CASE_MS))),
    hungriestBytes: Math.max(...hungry.map(({ input }) => leastOf(() => bytesAlone(subject, input), MAX_CASE_BYTES))),
  };
}

/** Memory that the input costs on a swept heap, in bytes. Exact only where the young generation is small (`measure.ts`). */
export function bytesAlone(subject: Subject, input: Uint8Array): number {
  collectGarbage();
  return costOf(subject, input).tookBytes;
}

function costOf(subject: Subject, input: Uint8Array): Cost & Outcome {
  const heldBytes = heapBytes();
  const startMs = cpuMs();
  // The value lives until the memory has been counted.
  const outcome = attempt(subject, input);
  const cost = { tookMs: cpuMs() - startMs, tookBytes: heapBytes() - heldBytes };
  return { ...cost, ...outcome };
}

/** Only typed errors are answers; anything else goes through. */
function attempt(subject: Subject, input: Uint8Array): Outcome {
  try {
    return { isAccepted: true, value: subject.parse(input) };
  } catch (error) {
    if (error instanceof AppError) return { isAccepted: false, value: error };
    throw error;
  }
}

function keepWorst(worst: Case[], candidate: Case): void {
  worst.push(candidate);
  worst.sort((a, b) => b.cost - a.cost);
  worst.length = Math.min(worst.length, WORST_KEPT);
}

/** The least of up to five measurements; the first within the bound is enough. */
function leastOf(measure: () => number, bound: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < RETRIES && least > bound; tries++) least = Math.min(least, measure());
  return least;
}

/** Time this thread has worked: what others do on the machine is not the parser's fault. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** What is in use, garbage not yet swept included. */
function heapBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  // The second round waits for what the first one left to be swept in the background.
  for (let round = 0; round < 2; round++) if (typeof collect === 'function') Reflect.apply(collect, undefined, []);
}
