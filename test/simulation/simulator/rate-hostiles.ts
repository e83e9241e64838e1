/** Peers that want more than their share of an upload limit. */
import { greet, randomBlock, type Behaviour } from './hostile-basics.ts';

export const RATE_HOSTILE_KINDS = ['comes back for more'] as const;
export type RateHostileKind = (typeof RATE_HOSTILE_KINDS)[number];

/** A little more than an address may have at once. */
const BLOCKS = 3;

export const RATE_BEHAVIOURS: Readonly<Record<RateHostileKind, Behaviour>> = {
  /** Takes what there is at once, hangs up and is back in the next moment. */
  'comes back for more': (attack) => {
    greet(attack);
    const { peer } = attack;
    let blocks = 0;
    peer.signal('interested');
    peer.onMessage = ({ type }) => {
      if (type === 'unchoke') peer.request(...Array.from({ length: BLOCKS }, () => randomBlock(attack)));
    };
    peer.onBlock = () => {
      if (++blocks === BLOCKS) attack.comeBack();
    };
  },
};
