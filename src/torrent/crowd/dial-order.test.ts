import { expect, test } from 'vitest';
import type { Dialer, TransportKind } from '../ports.ts';
import { DialOrder } from './dial-order.ts';

const dialerOf = (transport: TransportKind): Dialer => ({
  transport,
  dial: () => Promise.reject(new Error('not dialled here')),
});
const dialers = [dialerOf('tcp'), dialerOf('utp')];
const at = (host: string) => ({ host, port: 6881 });
const transports = (order: DialOrder, host: string) => order.of(dialers, at(host)).map(({ transport }) => transport);

test('the transport that came to nothing comes last, for that address, until it works again', () => {
  const order = new DialOrder();
  expect(transports(order, '192.0.2.1')).toEqual(['tcp', 'utp']);
  order.cameToNothing(at('192.0.2.1'), 'tcp');
  expect(transports(order, '192.0.2.1')).toEqual(['utp', 'tcp']);
  expect(transports(order, '192.0.2.2')).toEqual(['tcp', 'utp']);
  order.greeted(at('192.0.2.1'), 'utp');
  expect(transports(order, '192.0.2.1')).toEqual(['utp', 'tcp']);
  order.greeted(at('192.0.2.1'), 'tcp');
  expect(transports(order, '192.0.2.1')).toEqual(['tcp', 'utp']);
});

test('where each has come to nothing they take turns', () => {
  const order = new DialOrder();
  order.cameToNothing(at('192.0.2.1'), 'tcp');
  order.cameToNothing(at('192.0.2.1'), 'utp');
  expect(transports(order, '192.0.2.1')).toEqual(['tcp', 'utp']);
});

test('a bounded number of addresses is remembered, the latest ones', () => {
  const order = new DialOrder();
  for (let host = 0; host < 3_000; host++) order.cameToNothing(at(`10.0.${host >> 8}.${host & 255}`), 'tcp');
  expect(order.size).toBe(2_000);
  expect(transports(order, '10.0.0.0')).toEqual(['tcp', 'utp']);
  expect(transports(order, '10.0.11.183')).toEqual(['utp', 'tcp']);
});
