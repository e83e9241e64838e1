/**
 * One engine on real sockets and files, stopped in the middle of something; then says what of it is left in this
 * process: handles, descriptors, timers, lent buffers. Its partner is the test that starts it. It never calls
 * `process.exit`: that it ends is part of the proof.
 *
 *     node stop-child.ts '{"moment":"reading","folder":"…","port":1234}'
 */
import { openSync, readdirSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import { FilePieceStorage } from '../../src/adapters/fs/piece-storage.ts';
import { placeFiles } from '../../src/adapters/fs/placement.ts';
import { Volume } from '../../src/adapters/fs/volume.ts';
import { nodeHasher } from '../../src/adapters/node-crypto/hasher.ts';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { TcpDialer } from '../../src/adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../src/adapters/tcp/limits.ts';
import { TcpListener } from '../../src/adapters/tcp/listener.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { MIB } from '../../src/base/units.ts';
import { Engine, type OpenedStorage, type Torrent } from '../../src/torrent/index.ts';
import { type Moment, STOP_PIECE_BYTES, STOP_TORRENT_BYTES, type StopOrder, type StopReport } from './stop-order.ts';
import { makeTorrent } from './swarm.ts';

/** The system's clock, which also knows how many timers wait. */
class CountingClock implements Clock {
  pending = 0;

  nowMs(): number {
    return systemClock.nowMs();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  after(delayMs: number, task: () => void): () => void {
    this.pending++;
    let isDone = false;
    const done = (): void => {
      if (!isDone) this.pending--;
      isDone = true;
    };
    const cancel = systemClock.after(delayMs, () => {
      done();
      task();
    });
    return () => {
      done();
      cancel();
    };
  }
}

const order = JSON.parse(process.argv[2] ?? '{}') as StopOrder;
process.stdout.write(`report ${JSON.stringify(await stopIn(order))}\n`);

async function stopIn({ moment, folder, port, leak }: StopOrder): Promise<StopReport> {
  const clock = new CountingClock();
  const { hashes, info } = await makeTorrent(STOP_TORRENT_BYTES, STOP_PIECE_BYTES);
  await nodeHasher.sha1(new Uint8Array(2 * MIB)); // what the first hash, file and timer keep for good is no leak
  await nodeDisk.stat(folder);
  await turn();
  const before = { resources: process.getActiveResourcesInfo(), files: openFiles() };

  const limits = new ConnectionLimits({ maxPerAddress: 100 });
  const engine = new Engine({
    ports: {
      clock,
      hasher: nodeHasher,
      log: silentLog,
      random: Math.random,
      dialers: [new TcpDialer({ limits })],
      mse: new NodeMseCrypto(),
    },
  });
  const accept = (socket: Parameters<Engine['accept']>[0]): void => engine.accept(socket);
  const listener = await TcpListener.open({ host: '127.0.0.1', port: 0, limits, log: silentLog, accept });
  const files = placeFiles(info, path.join(folder, 'film'));
  const storage = new FilePieceStorage(new Volume(nodeDisk, silentLog), files, 'write');
  await storage.prepare();
  const have: OpenedStorage['have'] = moment === 'checking' ? 'check' : hasFile(moment) ? 'all' : 'none';
  const torrent = engine.add({ ...hashes, info, storage, have });
  process.stdout.write(`listening ${listener.address.port}\n`);
  await reach(moment, engine, torrent, port);
  const { dialling, connections } = engine.inspect();
  const during = { dialling, connections, bufferBytes: engine.bufferBytes };

  if (leak !== undefined) plant(leak, clock, listener.address.port);
  await engine.stop();
  if (leak !== 'socket') await listener.close();
  await turn();
  await turn();
  return {
    during,
    resources: beyond(before.resources, process.getActiveResourcesInfo()),
    files: beyond(before.files, openFiles()),
    timers: clock.pending,
    bufferBytes: engine.bufferBytes,
  };
}

function hasFile(moment: Moment): boolean {
  return moment === 'uploading' || moment === 'rechecking' || moment === 'idle';
}

/** Resolves in the middle of it. */
async function reach(moment: Moment, engine: Engine, torrent: Torrent, port: number): Promise<void> {
  const partner = [{ host: '127.0.0.1', port }];
  if (moment === 'idle') return;
  if (moment === 'checking' || moment === 'rechecking') {
    if (moment === 'rechecking') torrent.recheck().catch(() => undefined);
    return until(() => torrent.stats().uncheckedPieces < infoOf(torrent).pieceCount - 4 && engine.bufferBytes > 0);
  }
  if (moment === 'uploading') return until(() => torrent.stats().uploadedBytes > MIB);
  torrent.addPeers(partner);
  if (moment === 'dialling') return until(() => engine.inspect().dialling > 0);
  if (moment === 'greeting') return until(() => engine.connectionCount > 0 && engine.inspect().dialling === 0);
  if (moment === 'reading') void readOn(torrent).catch(() => undefined);
  await until(() => torrent.have.count > 4 && engine.bufferBytes > 0);
  if (moment === 'paused') torrent.pause();
}

function infoOf(torrent: Torrent): { readonly pieceCount: number; readonly totalBytes: number } {
  if (torrent.info === undefined) throw new Error('the metadata is known');
  return torrent.info;
}

async function readOn(torrent: Torrent): Promise<void> {
  const reader = torrent.read({ start: 0, endExclusive: infoOf(torrent).totalBytes }).getReader();
  while (!(await reader.read()).done);
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error('the moment never came');
    await delay(1);
  }
}

/** Descriptors by what they are of, without those that Node opens and closes by itself. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+\]$/, ']')];
    } catch {
      return []; // the descriptor of this very look
    }
  });
}

function beyond(before: readonly string[], after: readonly string[]): string[] {
  const known = [...before];
  return after.filter((one) => {
    const at = known.indexOf(one);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}

function plant(leak: NonNullable<StopOrder['leak']>, clock: Clock, port: number): void {
  if (leak === 'timer') clock.after(1_000, () => undefined);
  else if (leak === 'file') openSync(process.execPath, 'r');
  else net.connect(port, '127.0.0.1').setTimeout(1_000, () => process.exit());
}
