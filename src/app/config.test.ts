import { expect, test } from 'vitest';
import { GIB, MIB } from '../base/units.ts';
import { BadSetting, describeConfig, readConfig } from './config.ts';

test('without any setting the defaults run the product on a fresh machine', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 24242,
    adminPort: 24243,
    peerPort: 24244,
    publicUrl: 'http://127.0.0.1:24242',
    mediaUrl: 'http://127.0.0.1:24242',
    uploads: 'members',
    iceServers: [],
  });
});

test('sizes are read with their units', () => {
  expect(
    readConfig({ SEEDBED_QUOTA: '20GiB', SEEDBED_MAX_UPLOAD: '500 MiB', SEEDBED_GUEST_QUOTA: '77' }),
  ).toMatchObject({
    quotaBytes: 20 * GIB,
    maxUploadBytes: 500 * MIB,
    guestQuotaBytes: 77,
  });
});

test('the media origin follows the public one unless it is set', () => {
  expect(readConfig({ SEEDBED_PUBLIC_URL: 'https://a.example/' }).mediaUrl).toBe('https://a.example');
  expect(readConfig({ SEEDBED_PUBLIC_URL: 'https://a.example', SEEDBED_MEDIA_URL: 'https://b.example' }).mediaUrl).toBe(
    'https://b.example',
  );
});

test.each([
  { SEEDBED_PORT: '0' },
  { SEEDBED_PORT: '70000' },
  { SEEDBED_PORT: '80a' },
  { SEEDBED_HOST: 'a b' },
  { SEEDBED_UPLOADS: 'everyone' },
  { SEEDBED_QUOTA: '5 bananas' },
  { SEEDBED_PUBLIC_URL: 'https://a.example/path' },
  { SEEDBED_PUBLIC_URL: 'ftp://a.example' },
  { SEEDBED_ICE_SERVERS: 'https://a.example' },
  { SEEDBED_TRACKER_OPEN: 'yes' },
  { SEEDBED_NAME: '' },
  { SEEDBED_PROT: '80' },
  { SEEDBED_PORT: '24243' },
])('%o stops the start and names the key', (environment) => {
  const [key = ''] = Object.keys(environment);
  expect(() => readConfig(environment)).toThrow(BadSetting);
  expect(() => readConfig(environment)).toThrow(key);
});

test('every setting is described with its value and default', () => {
  const lines = describeConfig(readConfig({ SEEDBED_UPLOADS: 'anyone' }));
  expect(lines).toContainEqual(
    expect.objectContaining({ key: 'SEEDBED_UPLOADS', value: 'anyone', fallback: 'members' }),
  );
  expect(lines.every((line) => line.meaning.length > 10)).toBe(true);
});
