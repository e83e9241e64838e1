import { describe, expect, test } from 'vitest';
import { Emitter } from '../base/emitter.ts';
import { NoSpace } from '../base/errors.ts';
import type { TorrentEvents } from './content/torrent-types.ts';
import { type Finishing, whenDone } from './when-done.ts';

type State = { -readonly [Key in keyof Finishing]: Finishing[Key] };

/** An emitter that knows how many listen. */
class Counted extends Emitter<TorrentEvents> {
  listening = 0;
  override on: Emitter<TorrentEvents>['on'] = (name, listener) => {
    const off = super.on(name, listener);
    this.listening++;
    return () => {
      this.listening--;
      off();
    };
  };
}

function torrent(now: Partial<State> = {}): State & { readonly events: Counted } {
  return { isDone: false, isStopped: false, failure: undefined, ...now, events: new Counted() };
}

const FULL = new NoSpace('the disk is full');

describe('waiting for a torrent', () => {
  test('ends at once where all is here, even if it is stopped', async () => {
    await whenDone(torrent({ isDone: true, isStopped: true }));
  });

  test.each([
    ['is stopped already', { isStopped: true }, 'cancelled'],
    ['has failed already', { failure: FULL }, 'no_space'],
  ])('is refused where it %s', async (_, now, code) => {
    await expect(whenDone(torrent(now))).rejects.toMatchObject({ code });
  });

  test('is refused where the caller has given up already', async () => {
    const waiting = whenDone(torrent(), AbortSignal.abort('enough'));
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled', cause: 'enough' });
  });

  test('ends when the last of it came', async () => {
    const fetched = torrent();
    const waiting = whenDone(fetched);
    fetched.events.emit('done', undefined);
    await waiting;
    expect(fetched.events.listening).toBe(0);
  });

  test('ends when a check has found all of it on the disk, and goes on where it has not', async () => {
    const checked = torrent();
    const waiting = whenDone(checked);
    checked.events.emit('checked', undefined);
    expect(checked.events.listening).toBeGreaterThan(0);
    checked.isDone = true;
    checked.events.emit('checked', undefined);
    await waiting;
  });

  test.each([
    ['it fails', 'no_space', (events: Counted) => events.emit('error', FULL)],
    ['it is stopped', 'cancelled', (events: Counted) => events.emit('stopped', undefined)],
    ['the caller gives up', 'cancelled', (_: Counted, caller: AbortController) => caller.abort()],
  ])('fails when %s, and leaves no listener behind', async (_, code, happen) => {
    const caller = new AbortController();
    const waited = torrent();
    const waiting = whenDone(waited, caller.signal);
    happen(waited.events, caller);
    await expect(waiting).rejects.toMatchObject({ code });
    expect(waited.events.listening).toBe(0);
  });
});
