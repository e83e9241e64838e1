/**
 * CPU time and memory of a process and its descendants, read from /proc (Linux). Only the tree itself is read, and
 * seldom: a meter that walks all of /proc often takes a core from what it measures. Children that end while we measure
 * are kept by their last reading, so a figure never shrinks; what a child burns within the last sample may be missed.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** /proc counts in hundredths of a second on every Linux that Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 100;

export interface Usage {
  /** User and system time since the meter started. */
  readonly cpuSeconds: number;
  /** The same since each process began. */
  readonly totalCpuSeconds: number;
  /** Largest sum of resident memory seen at one moment. */
  readonly peakRssBytes: number;
}

/** User and system time of one process, its threads included; undefined when it is gone. */
function readCpuSeconds(pid: number): number | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name may hold spaces and parentheses: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks / TICKS_PER_SECOND;
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

/** Processes started by any thread of `pid` that still run. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      (readProc(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** CPU seconds of each live process of the tree under `root`, itself included. */
function treeOf(root: number): Map<number, number> {
  const tree = new Map<number, number>();
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    const cpuSeconds = readCpuSeconds(pid);
    if (cpuSeconds === undefined || tree.has(pid)) continue;
    tree.set(pid, cpuSeconds);
    open.push(...childrenOf(pid));
  }
  return tree;
}

/** Descriptors of a process that are no sockets: files, pipes, and what the event loop itself holds. */
export function countOpenFiles(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => !readLink(`${folder}/${fd}`).startsWith('socket:')).length;
}

/** A descriptor may be closed between listing and looking. */
function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return 'socket:[gone]';
  }
}

/** Measures from its construction until `stop()`. */
export class TreeMeter {
  readonly #root: number;
  readonly #before: Map<number, number>;
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
    return this.usage();
  }

  /** The figures so far. */
  usage(): Usage {
    this.#sample();
    let [cpuSeconds, totalCpuSeconds] = [0, 0];
    for (const [pid, latest] of this.#latest) {
      totalCpuSeconds += latest;
      cpuSeconds += latest - (this.#before.get(pid) ?? 0);
    }
    return { cpuSeconds, totalCpuSeconds, peakRssBytes: this.#peakRssBytes };
  }

  #sample(): void {
    let rssBytes = 0;
    for (const [pid, cpuSeconds] of treeOf(this.#root)) {
      this.#latest.set(pid, cpuSeconds);
      rssBytes += readRssBytes(pid);
    }
    this.#peakRssBytes = Math.max(this.#peakRssBytes, rssBytes);
  }
}
