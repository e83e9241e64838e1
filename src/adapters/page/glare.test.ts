import { describe, expect, test } from 'vitest';
import { type ExistingLink, onAnswer, onOffer } from './glare.ts';

/** Two browsers as the tracker sees them: every message arrives, each direction in order. */
class Side {
  readonly id: string;
  readonly links = new Map<string, ExistingLink['role']>();

  constructor(id: string) {
    this.id = id;
  }

  existing(): ExistingLink | undefined {
    const role = [...this.links.values()][0];
    return role && { role, isOpen: false, ageMs: 0 };
  }

  /** Takes the peer's offer; true when it is answered. */
  offered(offer: string, peer: Side): boolean {
    const decision = onOffer(this.id < peer.id, this.existing());
    if (decision === 'replace') this.links.clear();
    if (decision !== 'ignore') this.links.set(offer, 'answerer');
    return decision !== 'ignore';
  }

  answered(offer: string, peer: Side): void {
    const decision = onAnswer(this.id < peer.id, this.existing());
    if (decision === 'replace') this.links.clear();
    if (decision !== 'drop') this.links.set(offer, 'offerer');
  }
}

/** All interleavings of the four messages of two crossing offers. */
function* interleavings(): Generator<readonly ('a' | 'b')[]> {
  for (let mask = 0; mask < 16; mask++) {
    const order = [0, 1, 2, 3].map((bit): 'a' | 'b' => ((mask >> bit) & 1 ? 'a' : 'b'));
    if (order.filter((side) => side === 'a').length === 2) yield order;
  }
}

describe('offers that cross', () => {
  test.each([...interleavings()].map((order) => [order.join('')]))(
    'delivered in the order %s leave exactly one connection, the same on both sides',
    (order) => {
      const [a, b] = [new Side('a'), new Side('b')];
      const inbox = { a: [() => offer('from b', b, a)], b: [() => offer('from a', a, b)] };
      const offer = (name: string, from: Side, to: Side): void => {
        if (to.offered(name, from)) inbox[from.id as 'a' | 'b'].push(() => from.answered(name, to));
      };
      for (const side of order) inbox[side as 'a' | 'b'].shift()?.();
      for (const rest of [...inbox.a.splice(0), ...inbox.b.splice(0)]) rest();
      expect([...a.links.keys()]).toEqual([...b.links.keys()]);
      expect(a.links.size).toBe(1);
      expect([...a.links.values(), ...b.links.values()].sort()).toEqual(['answerer', 'offerer']);
    },
  );

  test('a connection that has long been open is not given up for an offer that reached us by chance', () => {
    for (const role of ['offerer', 'answerer'] as const)
      expect(onOffer(false, { role, isOpen: true, ageMs: 60_000 })).toBe('ignore');
  });

  test('an attempt that never opened gives way to a new one', () => {
    expect(onOffer(true, { role: 'answerer', isOpen: false, ageMs: 10_000 })).toBe('replace');
    expect(onAnswer(true, { role: 'offerer', isOpen: false, ageMs: 10_000 })).toBe('replace');
  });
});
