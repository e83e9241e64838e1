/** libtorrent as a DHT node that refuses ids which do not belong to their addresses (BEP 42), at public-looking addresses. */
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import { encodeMemory } from '../../src/dht/memory.ts';
import { bindNodeId, isBoundTo } from '../../src/dht/node-id.ts';
import { SwarmNode } from '../../src/kit/node/swarm-node.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import { otherHost } from './network.ts';

const LIBTORRENT = path.resolve(import.meta.dirname, 'peers/libtorrent_peer.py');
const MAGNET = `magnet:?xt=urn:btih:${'5'.repeat(40)}`;

/** A node of ours with an id that is bound to an address. */
async function nodeBoundTo(address: string, host: string, bootstrap: readonly string[]): Promise<SwarmNode> {
  const id = bindNodeId(seededBytes(`with ${bootstrap.length} at ${address}`, 20), address);
  const keeper = { load: () => encodeMemory({ id, contacts: [] }), save: () => Promise.resolve() };
  const node = await SwarmNode.open({ host, dht: { port: 0, bootstrap, keeper } });
  onTestFinished(() => node.stop());
  return node;
}

/** Two nodes of ours, because libtorrent takes the one it begins with for a router, and libtorrent on another host. */
async function scene(addresses: 'public' | 'public6', boundTo?: string) {
  const host = await otherHost(addresses);
  onTestFinished(() => host[Symbol.asyncDispose]());
  const place = (address: string, port: number): string =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const first = await nodeBoundTo(boundTo ?? host.here, host.here, []);
  const begin = place(host.here, first.dht?.port ?? 0);
  const second = await nodeBoundTo(boundTo ?? host.here, host.here, [begin]);
  await eventually('our nodes know each other', () => first.dht?.size === 1 && second.dht?.size === 1);
  const settings = {
    enable_dht: true,
    dht_bootstrap_nodes: begin,
    dht_enforce_node_id: true,
    dht_restrict_routing_ips: false,
    dht_restrict_search_ips: false,
  };
  const options = JSON.stringify({ settings, say_dht: true });
  const args = [LIBTORRENT, 'leech', MAGNET, await testFolder('dht-ids'), place(host.there, 6_881), options];
  const libtorrent = host.start('/usr/bin/python3', args);
  onTestFinished(async () => void (await libtorrent.stop()));
  return { host, second, libtorrent };
}

const FAMILIES = ['public', 'public6'] as const;

describeWith(['root', 'network namespaces', 'libtorrent'], 'libtorrent that enforces ids', () => {
  test.each(FAMILIES)('takes ours in, and its own by our word: %s', { timeout: 90_000 }, async (addresses) => {
    const { host, second, libtorrent } = await scene(addresses);
    await libtorrent.line(/updating node ID \(because external IP address changed\)/, 60_000);
    const [, id = ''] = await libtorrent.line(/DHT [1-9] ([0-9a-f]{40})/, 60_000);
    expect(isBoundTo(host.there, fromHex(id))).toBe(true);
    await eventually('we keep it too', () => second.dht?.size === 2);
  });

  test.each(FAMILIES)('refuses an id that belongs elsewhere: %s', { timeout: 90_000 }, async (addresses) => {
    const { libtorrent } = await scene(addresses, addresses === 'public' ? '20.1.2.3' : '2a00:ffff:1:2::3');
    await libtorrent.line(/invalid node id/i, 60_000);
    await libtorrent.line(/COMPLETED .* type: bootstrap/, 60_000);
    expect(libtorrent.output).not.toMatch(/DHT [1-9] /);
  });
});
