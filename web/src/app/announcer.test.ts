import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Announcer, SPEAK_EVERY_MS } from './announcer.ts';

test('the first message is spoken at once, then at most one every five seconds, the newest', () => {
  const clock = new FakeClock();
  const spoken: string[] = [];
  const announcer = new Announcer(clock, (text) => void spoken.push(text));
  for (let percent = 0; percent < 100; percent++) announcer.say(`${percent} percent`);
  expect(spoken).toEqual(['0 percent']);
  clock.advance(SPEAK_EVERY_MS - 1);
  expect(spoken).toHaveLength(1);
  clock.advance(1);
  expect(spoken).toEqual(['0 percent', '99 percent']);
});
