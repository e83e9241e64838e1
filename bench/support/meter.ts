/**
 * CPU time and memory of a process and its descendants, read from /proc (Linux). Children that end while we measure
 * are kept by their last reading, so a figure never shrinks; what a child burns within the last sample may be missed.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** /proc counts in hundredths of a second on every Linux that Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 20;

interface Sample {
  readonly parent: number;
  readonly cpuSeconds: number;
}

export interface Usage {
  /** User and system time since the meter started. */
  readonly cpuSeconds: number;
  /** The same since each process began. */
  readonly totalCpuSeconds: number;
  /** Largest sum of resident memory seen at one moment. */
  readonly peakRssBytes: number;
}

function readSample(pid: number): Sample | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name may hold spaces and parentheses: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
}

function readRssBytes(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(kib ?? 0) * 1024;
}

/** A process may end between listing and reading it. */
function readProc(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** Live processes of the tree under `root`, itself included. */
function treeOf(root: number): Map<number, Sample> {
  const all = new Map<number, Sample>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const sample = Number.isInteger(pid) ? readSample(pid) : undefined;
    if (sample !== undefined) all.set(pid, sample);
  }
  const belongs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === root) return true;
    return false;
  };
  return new Map([...all].filter(([pid]) => belongs(pid)));
}

/** Measures from its construction until `stop()`. */
export class TreeMeter {
  readonly #root: number;
  readonly #before: Map<number, Sample>;
  readonly #latest = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  #peakRssBytes = 0;

  constructor(pid: number) {
    this.#root = pid;
    this.#before = treeOf(pid);
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** Ends the sampling; may be called again for the same figures. */
  stop(): Usage {
    clearInterval(this.#timer);
    this.#sample();
    let [cpuSeconds, totalCpuSeconds] = [0, 0];
    for (const [pid, latest] of this.#latest) {
      totalCpuSeconds += latest;
      cpuSeconds += latest - (this.#before.get(pid)?.cpuSeconds ?? 0);
    }
    return { cpuSeconds, totalCpuSeconds, peakRssBytes: this.#peakRssBytes };
  }

  #sample(): void {
    let rssBytes = 0;
    for (const [pid, { cpuSeconds }] of treeOf(this.#root)) {
      this.#latest.set(pid, cpuSeconds);
      rssBytes += readRssBytes(pid);
    }
    this.#peakRssBytes = Math.max(this.#peakRssBytes, rssBytes);
  }
}
