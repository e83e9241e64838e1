/** Over which transports peers are reached. */
import { expect, test } from 'vitest';
import { KIB } from '../../src/base/units.ts';
import type { PeerAddress, TransportKind } from '../../src/torrent/ports.ts';
import { leechOn, makeTorrent, PEER_PORT, seedOn, Swarm } from '../support/swarm.ts';

const PIECE = 64 * KIB;

/** A seed behind uTP, whose TCP port is somebody else's; tells which transports the leech dialled, in order. */
async function reaching(encryption: 'off' | 'prefer', atTcpPort: 'shut' | 'refuses' | 'seed') {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * PIECE, PIECE);
  const seed = swarm.addNode({ transport: 'utp' });
  seedOn(seed, source);
  const door = atTcpPort === 'seed' ? swarm.addNode({ transport: 'tcp' }) : undefined;
  if (door !== undefined) seedOn(door, source);
  const tcp = door?.machine ?? swarm.addMachine({ transport: 'tcp' });
  if (atTcpPort === 'shut') tcp.listen(PEER_PORT, (socket) => socket.close());
  const machine = swarm.addMachine();
  const dialled: TransportKind[] = [];
  const dialer = (transport: TransportKind, host: string) => ({
    transport,
    dial: ({ port }: PeerAddress, signal: AbortSignal) => {
      dialled.push(transport);
      return machine.dial({ host, port }, signal);
    },
  });
  const leech = swarm.addNode({}, { encryption }, [dialer('tcp', tcp.host), dialer('utp', seed.machine.host)]);
  const torrent = leechOn(leech, source);
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isComplete, 30_000);
  return dialled;
}

test.each([
  { encryption: 'off', dialled: ['tcp', 'utp'] },
  { encryption: 'prefer', dialled: ['tcp', 'tcp', 'utp'] },
] as const)(
  'a peer whose TCP port takes connections and shuts them at once is reached over uTP (encryption $encryption)',
  async ({ encryption, dialled }) => {
    expect(await reaching(encryption, 'shut')).toEqual(dialled);
  },
);

test('uTP follows at once where TCP is refused, and is left alone where TCP works', async () => {
  expect(await reaching('off', 'refuses')).toEqual(['tcp', 'utp']);
  expect(await reaching('off', 'seed')).toEqual(['tcp']);
});
