/** The player's keyboard map: which key means what. Pure; the same list feeds the help. */

export type PlayerAction =
  | { readonly kind: 'play' | 'mute' | 'fullscreen' | 'captions' | 'help' }
  | { readonly kind: 'seek'; readonly bySec: number }
  | { readonly kind: 'volume'; readonly by: number }
  /** Share of the duration, in [0, 0.9]. */
  | { readonly kind: 'jump'; readonly to: number };

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

const VOLUME_STEP = 0.1;

const ACTIONS: Readonly<Partial<Record<string, PlayerAction>>> = {
  ' ': { kind: 'play' },
  k: { kind: 'play' },
  j: { kind: 'seek', bySec: -10 },
  l: { kind: 'seek', bySec: 10 },
  ArrowLeft: { kind: 'seek', bySec: -5 },
  ArrowRight: { kind: 'seek', bySec: 5 },
  ArrowUp: { kind: 'volume', by: VOLUME_STEP },
  ArrowDown: { kind: 'volume', by: -VOLUME_STEP },
  f: { kind: 'fullscreen' },
  m: { kind: 'mute' },
  c: { kind: 'captions' },
  '?': { kind: 'help' },
};

/** What the key press means to the player; combinations with Ctrl, Alt and Meta are the browser's. */
export function actionOfKey(press: KeyPress): PlayerAction | undefined {
  if (press.ctrlKey || press.metaKey || press.altKey) return undefined;
  if (/^\d$/.test(press.key)) return { kind: 'jump', to: Number(press.key) / 10 };
  return ACTIONS[press.key.length === 1 ? press.key.toLowerCase() : press.key];
}

/** Rows of the help: the keys, and the name of what they do (`player.*`). */
export const SHORTCUT_HELP = [
  { keys: ['Space', 'K'], name: 'play' },
  { keys: ['J'], name: 'back10' },
  { keys: ['L'], name: 'forward10' },
  { keys: ['←'], name: 'back5' },
  { keys: ['→'], name: 'forward5' },
  { keys: ['↑', '↓'], name: 'volume' },
  { keys: ['F'], name: 'fullscreen' },
  { keys: ['M'], name: 'mute' },
  { keys: ['C'], name: 'captions' },
  { keys: ['0 – 9'], name: 'jump' },
  { keys: ['?'], name: 'overlay' },
] as const;
