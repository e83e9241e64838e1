/** What a server needs of its machine, looked at one by one. Each finding says what was found and, if that is not good, what helps. */
import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { loadUtp } from '../adapters/utp/load.ts';
import { AppError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { formatBytes, GIB } from '../base/units.ts';
import { type Config, readConfig } from './config.ts';

const LEAST_NODE = [24, 15] as const;
const LEAST_FREE_BYTES = 5 * GIB;
const PROGRAM_TIMEOUT_MS = 5_000;

export interface Finding {
  readonly name: string;
  /** `useful`: absent, and only that feature is. */
  readonly state: 'good' | 'useful' | 'bad';
  readonly found: string;
  readonly advice?: string;
}

/** Looks at everything; a wrong setting is a finding like any other. */
export async function examine(environment: Readonly<Record<string, string | undefined>>): Promise<readonly Finding[]> {
  const node = examineNode(process.versions.node);
  let config: Config;
  try {
    config = readConfig(environment);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [node, { name: 'settings', state: 'bad', found: error.message }];
  }
  const isRunning = await serverRuns(config.adminPort);
  const ports = [
    await examinePort('web port', config.host, config.port, 'SEEDBED_PORT'),
    await examineUdpPort(config.host, config.port),
    await examinePort('admin port', '127.0.0.1', config.adminPort, 'SEEDBED_ADMIN_PORT'),
    await examinePort('peer port', config.host, config.peerPort, 'SEEDBED_PEER_PORT'),
  ];
  return [
    node,
    { name: 'settings', state: 'good', found: 'all values are valid' },
    ...(isRunning ? ports.map(besideServer) : ports),
    await examineFolder(config.data),
    await examineDisk(config.data),
    await examineWebRtc(),
    await examineUtp(),
    await examineFfmpeg(),
  ];
}

/** Judges a version such as `24.21.0`. */
export function examineNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  if (isNew) return { name: 'node', state: 'good', found: version };
  const advice = `Node ${LEAST_NODE.join('.')} or newer is needed; npm start fetches it by itself.`;
  return { name: 'node', state: 'bad', found: version, advice };
}

/** Whether a Seedbed answers on the admin port, which is on loopback. */
async function serverRuns(adminPort: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(PROGRAM_TIMEOUT_MS);
    const answer: unknown = await (await fetch(`http://127.0.0.1:${adminPort}/livez`, { signal })).json();
    return typeof answer === 'object' && answer !== null && 'alive' in answer && answer.alive === true;
  } catch {
    return false; // nobody there, or somebody else
  }
}

/** A port that is taken is no fault where a server runs with these settings. */
function besideServer({ name, state, found }: Finding): Finding {
  if (state !== 'bad') return { name, state, found };
  return { name, state: 'good', found: `${found}, and a Seedbed is running here` };
}

async function examinePort(name: string, host: string, port: number, key: string): Promise<Finding> {
  const server = net.createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return { name, state: 'good', found: `TCP ${port} is free on ${host}` };
  } catch (error) {
    const advice = `Is a Seedbed running already? Otherwise choose another port with ${key}.`;
    return { name, state: 'bad', found: `TCP ${port} on ${host}: ${reasonOf(error)}`, advice };
  } finally {
    server.close();
  }
}

async function examineUdpPort(host: string, port: number): Promise<Finding> {
  const name = 'UDP tracker';
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(port, host);
    await once(socket, 'listening');
    return { name, state: 'good', found: `UDP ${port} is free on ${host}` };
  } catch (error) {
    const advice = 'Is a Seedbed running already? Otherwise choose another port with SEEDBED_PORT.';
    return { name, state: 'bad', found: `UDP ${port} on ${host}: ${reasonOf(error)}`, advice };
  } finally {
    socket.close();
  }
}

async function examineFolder(folder: string): Promise<Finding> {
  const name = 'data folder';
  const place = await nearestFolder(folder);
  try {
    await rm(await mkdtemp(path.join(place, '.seedbed-doctor-')), { recursive: true });
    return { name, state: 'good', found: `${folder} can be written` };
  } catch (error) {
    const advice = 'Give this user the right to write there, or choose another folder with SEEDBED_DATA.';
    return { name, state: 'bad', found: `${place}: ${reasonOf(error)}`, advice };
  }
}

async function examineDisk(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestFolder(folder));
  const freeBytes = bavail * bsize;
  const found = `${formatBytes(freeBytes)} free`;
  if (freeBytes >= LEAST_FREE_BYTES) return { name: 'disk', state: 'good', found };
  const advice =
    'Seedbed leaves the last 5 % (at most 2 GiB) of a disk to the system: there is little room for uploads.';
  return { name: 'disk', state: 'bad', found, advice };
}

/** The folder, or the parent it would be made in. */
async function nearestFolder(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const parent = path.dirname(folder);
  return isThere || parent === folder ? folder : nearestFolder(parent);
}

async function examineWebRtc(): Promise<Finding> {
  const name = 'WebRTC';
  try {
    const { getLibraryVersion } = await import('node-datachannel');
    return { name, state: 'good', found: `libdatachannel ${getLibraryVersion()}` };
  } catch (error) {
    const advice =
      'There is no binary for this system: browsers get everything over HTTP from you, torrent clients as usual.';
    return { name, state: 'useful', found: reasonOf(error), advice };
  }
}

async function examineUtp(): Promise<Finding> {
  const name = 'uTP';
  const library = await loadUtp(silentLog);
  if (library !== undefined) return { name, state: 'good', found: 'the library loads' };
  const advice = 'There is no binary for this system: torrent clients reach you over TCP alone.';
  return { name, state: 'useful', found: `none for ${process.platform}-${process.arch}`, advice };
}

async function examineFfmpeg(): Promise<Finding> {
  const name = 'ffmpeg';
  try {
    const { stdout } = await promisify(execFile)('ffmpeg', ['-version'], { timeout: PROGRAM_TIMEOUT_MS });
    return { name, state: 'good', found: stdout.split(' ').slice(0, 3).join(' ') };
  } catch {
    return {
      name,
      state: 'useful',
      found: 'not installed',
      advice: 'Only for posters and previews made on the server.',
    };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
