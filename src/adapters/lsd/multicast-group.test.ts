import { expect, test } from 'vitest';
import { placesFor } from './multicast-group.ts';

const INTERFACES = {
  lo: [{ address: '127.0.0.1' }, { address: '::1' }],
  eth0: [{ address: '192.168.1.7' }, { address: 'fe80::1%eth0' }, { address: '2a00:0:0:1::7' }],
};
const ANY4 = { family: 'v4', onInterface: undefined };
const ANY6 = { family: 'v6', onInterface: undefined };

test.each([
  { host: undefined, places: [ANY4, ANY6] },
  { host: '::', places: [ANY4, ANY6] },
  { host: '0.0.0.0', places: [ANY4] },
  { host: '192.168.1.7', places: [{ family: 'v4', onInterface: '192.168.1.7' }] },
  { host: '2a00:0:0:1::7', places: [{ family: 'v6', onInterface: '::%eth0' }] },
  { host: '2A00:0:0:1:0:0:0:7', places: [{ family: 'v6', onInterface: '::%eth0' }] },
  { host: '2a00:0:0:2::7', places: [] },
])('who listens at $host is announced in $places', ({ host, places }) => {
  expect(placesFor(host, INTERFACES)).toEqual(places);
});
