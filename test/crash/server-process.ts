/** Starts the process under test and ends it without mercy. */
import { fork } from 'node:child_process';
import type { ChildProcess, ForkOptions } from 'node:child_process';
import path from 'node:path';
import type { DoorOptions, DoorReady } from './door.ts';

export interface ServerProcess extends DoorReady {
  readonly url: string;
  /** SIGKILL, and waits until the process is gone. */
  kill(): Promise<void>;
  /** Resolves when it is gone, by whatever hand. */
  readonly gone: Promise<void>;
}

/** Starts the door; `launcher` may put a program such as strace in front. @throws when it does not start */
export async function startServer(options: DoorOptions, launcher: ForkOptions = {}): Promise<ServerProcess> {
  const door = path.join(import.meta.dirname, 'door.ts');
  const child = fork(door, [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...launcher,
  });
  const complaints: string[] = [];
  child.stderr?.on('data', (text: Buffer) => complaints.push(text.toString()));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await Promise.race([firstMessage(child), gone.then(() => undefined)]);
  if (ready === undefined) throw new Error(`the server did not start: ${complaints.join('')}`);
  return {
    ...ready,
    url: `http://127.0.0.1:${ready.port}`,
    gone,
    async kill() {
      if (child.exitCode === null && child.signalCode === null) process.kill(ready.pid, 'SIGKILL'); // not the launcher
      await gone;
    },
  };
}

function firstMessage(child: ChildProcess): Promise<DoorReady> {
  return new Promise((resolve) => child.once('message', (message) => resolve(message as DoorReady)));
}
