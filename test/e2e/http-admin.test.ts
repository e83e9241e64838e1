/** The operator's listener: alive, ready, metrics; on loopback names only. */
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { createAdmin, type Readiness } from '../../src/http/admin.ts';
import { BlobsInMemory, openWorld, rawExchange } from './http-world.ts';

async function openAdmin(conditions: Readiness[] = [], registry = new Registry()) {
  const admin = createAdmin({
    registry,
    readiness: async () => conditions,
    clock: systemClock,
    log: silentLog,
    port: 0,
  });
  const port = await admin.listen();
  onTestFinished(() => admin.close());
  return { admin, port, get: (path: string) => fetch(`http://127.0.0.1:${port}${path}`) };
}

test('a running server is alive', async () => {
  const { get } = await openAdmin();
  const response = await get('/livez');
  expect([response.status, await response.json()]).toEqual([200, { alive: true, lagMs: expect.any(Number) }]);
});

test('it is ready when every condition holds, and says which does not', async () => {
  const conditions = [{ name: 'database', isReady: true }];
  const { get } = await openAdmin(conditions);
  expect((await get('/readyz')).status).toBe(200);
  conditions.push({ name: 'disk', isReady: false, reason: 'below the floor' } as Readiness);
  const response = await get('/readyz');
  expect([response.status, await response.json()]).toEqual([503, { ready: false, conditions }]);
});

test('once it drains it is not ready, but still alive', async () => {
  const { admin, get } = await openAdmin();
  admin.drain();
  expect([(await get('/readyz')).status, (await get('/livez')).status]).toEqual([503, 200]);
});

test('what the public listener answers is counted', async () => {
  const media = new BlobsInMemory();
  const sha256 = media.add({ bytes: Buffer.from('12345') });
  const world = await openWorld({ media });
  await (await fetch(world.url(`/${sha256}`))).text();
  await (await fetch(world.url('/nothing'))).text();
  const { get } = await openAdmin([], world.registry);
  const text = await (await get('/metrics')).text();
  expect(text).toContain('seedbed_http_requests_total{door="blob",status="2xx"} 1');
  expect(text).toContain('seedbed_http_requests_total{door="web",status="4xx"} 1');
  expect(text).toContain('seedbed_http_blob_bytes_total 5');
});

test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '192.168.1.5:24243', ''])(
  'the host %j is refused: a web page cannot rebind its name to this listener',
  async (host) => {
    const { port } = await openAdmin();
    const answer = await rawExchange(port, `GET /metrics HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  },
);

test.each(['localhost', 'localhost:24243', '127.0.0.1:1', '[::1]:24243'])('the host %s is ours', async (host) => {
  const { port } = await openAdmin();
  const answer = await rawExchange(port, `GET /livez HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});
