/** The programs that packaging runs: TypeScript and npm. Their output is shown when they fail. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { findNpm } from '../setup/npm.mjs';
import { PackagingFailed } from './failure.ts';

const TIMEOUT_MS = 5 * 60_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Compiles what tsconfig.package.json names into `outFolder`, laid out as under src. @throws PackagingFailed */
export async function compile(root: string, outFolder: string): Promise<void> {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const project = path.join(root, 'tsconfig.package.json');
  await run('TypeScript', [process.execPath, tsc, '--project', project, '--outDir', outFolder], root);
}

export interface Packed {
  readonly filename: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
}

/** Has npm make the tarball of `folder` in `outFolder`. Needs no network. @throws PackagingFailed */
export async function pack(folder: string, outFolder: string): Promise<Packed> {
  const options = ['--json', '--ignore-scripts', '--offline', '--pack-destination', outFolder];
  const output = await run('npm', [...findNpm(process.env), 'pack', ...options], folder);
  const [packed] = JSON.parse(output) as { filename: string; size: number; unpackedSize: number }[];
  if (packed === undefined) throw new PackagingFailed('npm packed nothing');
  return { filename: packed.filename, sizeBytes: packed.size, unpackedBytes: packed.unpackedSize };
}

async function run(name: string, [program, ...args]: readonly [string, ...string[]], cwd: string): Promise<string> {
  try {
    const limits = { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
    const { stdout } = await promisify(execFile)(program, args, { cwd, ...limits });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const output = `${stdout}${stderr}`.trim() || String(error);
    throw new PackagingFailed(`${name} failed:\n${output}`, {}, { cause: error });
  }
}
