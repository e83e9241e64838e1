/**
 * Other programs as children of a test: started with their output kept, awaited by a line they print, ended by their
 * own process id. A child never outlives its owner.
 */
import { spawn, type ChildProcess } from 'node:child_process';

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Starts it as the head of a process group of its own; signals then go to the whole group, as from a terminal. */
  readonly group?: boolean;
  /** SIGTERM on dispose, SIGKILL when that did not help in so long; default 5 s. */
  readonly graceMs?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const OUTPUT_LIMIT_CHARS = 1_000_000;

/** A running child and everything it printed. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #graceMs: number;
  readonly #group: boolean;
  readonly #watchers = new Set<() => void>();
  #output = '';
  #ended: Ended | undefined;
  /** Resolves when the process is gone and its output is complete. */
  readonly ended: Promise<Ended>;

  constructor(program: string, args: readonly string[], options: ProgramOptions = {}) {
    this.#name = [program, ...args].join(' ');
    this.#graceMs = options.graceMs ?? 5_000;
    this.#group = options.group ?? false;
    this.#child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      detached: this.#group,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    // A program that is gone, or never reads, must not fail the test that speaks to it; its exit status will tell.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#append(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#append(text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#ended = { code, signal };
        resolve(this.#ended);
        this.#notify();
      });
    });
    this.ended.catch(() => this.#notify());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Standard output and error so far, as they came. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with the match once the output contains it. Fails with the output when the program ends or time is up. */
  line(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        act();
      };
      const fail = (why: string): void =>
        settle(() => reject(new Error(`${this.#name}: ${why}, waiting for ${pattern}\n${this.#output}`)));
      const look = (): void => {
        const match = this.#output.match(pattern);
        if (match) settle(() => resolve(match));
        else if (this.#ended) fail(`ended with ${this.#ended.code ?? this.#ended.signal}`);
      };
      const timer = setTimeout(() => fail(`nothing after ${timeoutMs} ms`), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Gives the program a line on its standard input. */
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  signal(name: NodeJS.Signals): void {
    if (this.#ended !== undefined || this.pid === 0) return;
    if (this.#group) process.kill(-this.pid, name);
    else this.#child.kill(name);
  }

  /** Resolves when the program ended by itself with status 0; fails with its output otherwise. */
  async success(timeoutMs = 60_000): Promise<string> {
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    const { code, signal } = await this.ended.finally(() => clearTimeout(timer));
    if (code !== 0) throw new Error(`${this.#name}: ended with ${code ?? signal}\n${this.#output}`);
    return this.#output;
  }

  async stop(): Promise<Ended> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), this.#graceMs);
    // A grandchild that inherited the pipes must not keep them, and us, open.
    const release = (): void => {
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
    };
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.once('exit', release);
    else release();
    return this.ended.finally(() => clearTimeout(timer));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #append(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_LIMIT_CHARS);
    this.#notify();
  }

  #notify(): void {
    for (const look of this.#watchers) look();
  }
}

/** `await using seeder = startProgram('/usr/bin/python3', ['peer.py']); await seeder.line(/READY/);` */
export function startProgram(program: string, args: readonly string[], options?: ProgramOptions): Program {
  return new Program(program, args, options);
}
