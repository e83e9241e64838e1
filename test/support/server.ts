/**
 * The real server as a child process, on free ports. `await using server = await startServer({ dataFolder });` — stopping
 * is SIGTERM and a clean end; `server.program.signal('SIGKILL')` is a crash, after which the same folder can be served again.
 */
import path from 'node:path';
import { CLI } from '../../scripts/setup/cli.mjs';
import { eventually } from './eventually.ts';
import { freePorts } from './free-port.ts';
import { type Program, startProgram } from './program.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** Where `npm start` keeps it, too: a server in use has compiled and stripped its sources before. */
const COMPILE_CACHE = path.join(ROOT, '.seedbed/compile-cache');
const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 30_000;

export interface ServerOptions {
  /** Kept when the server ends: it belongs to the caller. */
  readonly dataFolder: string;
  /** Further `SEEDBED_…` settings, ports included. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: what `npm start` starts in the end, without npm and the bootstrap. */
  readonly command?: readonly string[];
}

export interface RunningServer extends AsyncDisposable {
  readonly program: Program;
  /** Web app, API and tracker: `http://127.0.0.1:<port>`. */
  readonly origin: string;
  readonly adminOrigin: string;
  /** Where BitTorrent peers connect to, `127.0.0.1:<port>`. */
  readonly peerAddress: string;
  /** From the start of the process to the first good answer of /readyz. */
  readonly readyMs: number;
}

/** Resolves when the server is ready. @throws when it ends by itself, with what it printed. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { dataFolder, settings = {}, command = [process.execPath, ...CLI.slice(1), 'serve'] } = options;
  const [port = 0, adminPort = 0, peerPort = 0] = await freePorts(3);
  const ports = {
    SEEDBED_PORT: String(port),
    SEEDBED_ADMIN_PORT: String(adminPort),
    SEEDBED_PEER_PORT: String(peerPort),
    ...settings,
  };
  const [file = '', ...args] = command;
  const startedAtMs = performance.now();
  const program = startProgram(file, args, {
    cwd: ROOT,
    group: true,
    graceMs: STOP_GRACE_MS,
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, SEEDBED_DATA: dataFolder, ...ports },
  });
  const adminOrigin = `http://127.0.0.1:${ports.SEEDBED_ADMIN_PORT}`;
  try {
    await ready(program, adminOrigin);
  } catch (error) {
    await program.stop();
    throw error;
  }
  return {
    program,
    origin: `http://127.0.0.1:${ports.SEEDBED_PORT}`,
    adminOrigin,
    peerAddress: `127.0.0.1:${ports.SEEDBED_PEER_PORT}`,
    readyMs: performance.now() - startedAtMs,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

async function ready(program: Program, adminOrigin: string): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    const signal = AbortSignal.timeout(READY_TIMEOUT_MS);
    return program.hasEnded || (await fetch(`${adminOrigin}/readyz`, { signal })).ok;
  };
  await eventually('the server is ready', isReady, { timeoutMs: READY_TIMEOUT_MS, intervalMs: 5 });
  if (program.hasEnded) throw new Error(`the server ended by itself\n${program.output}`);
}
