/** The real server as a child process, exactly as `npm start` runs it, on free ports and a data folder of its own. */
import path from 'node:path';
import { eventually } from '../../test/support/eventually.ts';
import { freePorts } from '../../test/support/free-port.ts';
import { type Program, startProgram } from '../../test/support/program.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const READY_TIMEOUT_MS = 60_000;

export interface RunningServer extends AsyncDisposable {
  readonly program: Program;
  readonly origin: string;
  readonly peerAddress: string;
  /** From the start of the process to the first good answer of /readyz. */
  readonly readyMs: number;
}

/** Starts `seedbed serve` and resolves when it is ready. @throws when it ends by itself, with what it printed. */
export async function startServer(
  dataFolder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const [port = 0, adminPort = 0, peerPort = 0] = await freePorts(3);
  const startedAtMs = performance.now();
  const program = startProgram(process.execPath, [MAIN, 'serve'], {
    graceMs: 30_000,
    env: {
      ...process.env,
      SEEDBED_DATA: dataFolder,
      SEEDBED_PORT: String(port),
      SEEDBED_ADMIN_PORT: String(adminPort),
      SEEDBED_PEER_PORT: String(peerPort),
      ...settings,
    },
  });
  const stopped = AbortSignal.timeout(READY_TIMEOUT_MS);
  const ready = eventually(
    'ready',
    async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`, { signal: stopped })).ok,
    { timeoutMs: READY_TIMEOUT_MS, intervalMs: 5 },
  );
  const ended = program.ended.then(() => Promise.reject(new Error(`the server ended by itself\n${program.output}`)));
  await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  return {
    program,
    origin: `http://127.0.0.1:${port}`,
    peerAddress: `127.0.0.1:${peerPort}`,
    readyMs: performance.now() - startedAtMs,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
