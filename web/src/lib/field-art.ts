/**
 * A small landscape for media that have no poster: fields drawn from the hash, so the same file looks the same everywhere and
 * costs no request. Hues stay out of violet, which means "alive in the swarm".
 */
import { parseSha256, type Sha256 } from '../../../src/base/ids.ts';

export const FIELD_WIDTH = 160;
export const FIELD_HEIGHT = 90;

/** From amber over green to blue, in degrees of oklch hue; violet lies beyond. */
const FIRST_HUE = 40;
const HUE_SPAN = 200;
const HILLS = 3;

export interface FieldArt {
  /** Degrees of oklch hue, in [40, 240). */
  readonly hue: number;
  readonly sun: { readonly x: number; readonly y: number; readonly radius: number };
  /** SVG paths from the far hill to the near one, in a box of 160 × 90. */
  readonly hills: readonly string[];
}

function fractionAt(sha256: Sha256, index: number): number {
  return Number.parseInt(sha256.slice(index * 2, index * 2 + 2), 16) / 256;
}

function hill(sha256: Sha256, index: number): string {
  const [left, middle, right] = [0, 1, 2].map((part) => fractionAt(sha256, 4 + index * 3 + part));
  const base = 40 + index * 16;
  const y = (fraction = 0.5): number => Math.round(base + fraction * 18);
  return `M0 ${y(left)}C40 ${y(right) - 12} 60 ${y(middle) + 10} 90 ${y(middle)}S140 ${y(left) - 6} ${FIELD_WIDTH} ${y(right)}V${FIELD_HEIGHT}H0Z`;
}

/** The landscape of a blob. Pure: equal hashes give equal pictures. */
export function fieldOf(sha256: Sha256): FieldArt {
  const hue = Math.floor(FIRST_HUE + fractionAt(sha256, 0) * HUE_SPAN);
  const sun = {
    x: Math.round(20 + fractionAt(sha256, 1) * 120),
    y: Math.round(14 + fractionAt(sha256, 2) * 18),
    radius: Math.round(6 + fractionAt(sha256, 3) * 6),
  };
  return { hue, sun, hills: Array.from({ length: HILLS }, (_, index) => hill(sha256, index)) };
}

/** The landscape of something that has no hash yet. */
export const plainField: FieldArt = fieldOf(parseSha256('5e'.repeat(32)));
