/** The keyboard map at work: anywhere on the page, except where a key has a meaning of its own. */
import { useEffect, useEffectEvent, type RefObject } from 'react';
import { reportProblem } from '../app/problems.ts';
import { act } from './playback.ts';
import { actionOfKey, type PlayerAction } from './shortcuts.ts';

const TYPING = 'input, textarea, select, [contenteditable], [role="slider"], [role="dialog"], [role="alertdialog"]';
const PRESSABLE = 'button, a, summary, [role="button"], [role="switch"]';

/** Whether the focused element wants the key for itself. */
function isTaken(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  if (!(target instanceof Element)) return false;
  const host = event.target instanceof Element ? event.target : target;
  if ([target, host].some((element) => element.closest(TYPING) !== null)) return true;
  return event.key === ' ' && [target, host].some((element) => element.closest(PRESSABLE) !== null);
}

interface Shortcuts {
  readonly media: RefObject<HTMLMediaElement | null>;
  /** What goes full screen; undefined where nothing does. */
  readonly stage?: RefObject<HTMLElement | null>;
  readonly onHelp: () => void;
}

async function toggleFullscreen(stage: HTMLElement | null | undefined): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen();
  else await stage?.requestFullscreen();
}

export function useShortcuts({ media, stage, onHelp }: Shortcuts): void {
  const help = useEffectEvent(onHelp);
  useEffect(() => {
    const perform = async (element: HTMLMediaElement, action: PlayerAction): Promise<void> => {
      if (action.kind === 'help') help();
      else if (action.kind === 'fullscreen') await toggleFullscreen(stage?.current);
      else await act(element, action);
    };
    const press = (event: KeyboardEvent): void => {
      const action = actionOfKey(event);
      if (action === undefined || media.current === null || isTaken(event)) return;
      event.preventDefault();
      perform(media.current, action).catch(reportUnlessInterrupted);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [media, stage]);
}

/** `play()` is rejected when a pause or a new source comes first: nothing went wrong. */
export function reportUnlessInterrupted(error: unknown): void {
  if (error instanceof DOMException && (error.name === 'AbortError' || error.name === 'NotAllowedError')) return;
  reportProblem(error);
}
