import { afterEach, expect, test, vi } from 'vitest';
import { findProgram, lackOf, requireAll, requirePeer } from './peers.ts';

afterEach(() => void vi.unstubAllEnvs());

/** A test context that only records why it was skipped. */
function recordingContext(): { reasons: string[]; skip: never } {
  const reasons: string[] = [];
  const skip = ((reason: string) => void reasons.push(reason)) as unknown as never;
  return { reasons, skip };
}

test('a program that is there is found by its absolute path', () => {
  expect(findProgram('sh')).toMatch(/^\/.*\/sh$/);
  expect(findProgram('no-such-program')).toBeUndefined();
});

test('a missing need skips with a reason that names the package, and fails where skipping is forbidden', async () => {
  vi.resetModules();
  vi.stubEnv('SEEDBED_FORBID_SKIP', '');
  const context = recordingContext();
  const fresh = await import('./peers.ts');
  const lacking = vi.spyOn(process, 'getuid').mockReturnValue(1000);
  fresh.requireAll(context, 'root');
  expect(context.reasons).toEqual(['needs root']);
  vi.stubEnv('SEEDBED_FORBID_SKIP', '1');
  expect(() => fresh.requireAll(context, 'root')).toThrow('skipping is forbidden');
  lacking.mockRestore();
});

test('a need that is met neither skips nor throws', () => {
  const context = recordingContext();
  vi.stubEnv('SEEDBED_FORBID_SKIP', '1');
  requireAll(context);
  expect(context.reasons).toEqual([]);
  if (lackOf('git') === undefined) expect(requirePeer(context, 'git')).toMatch(/git$/);
});
