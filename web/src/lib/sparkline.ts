/** Speeds of the last minute as SVG paths: two layers, stacked. Pure. */

export interface SpeedPoint {
  readonly fromPeers: number;
  readonly fromHttp: number;
}

/** One point a second. */
export const HISTORY_POINTS = 60;

/** Adds a point and forgets the oldest beyond a minute. */
export function addPoint(history: readonly SpeedPoint[], point: SpeedPoint): readonly SpeedPoint[] {
  return [...history, point].slice(-HISTORY_POINTS);
}

export interface SparkPaths {
  /** Area of the peers' share, from the ground up. */
  readonly peers: string;
  /** Area of the server's share, on top of it. */
  readonly http: string;
}

/** Paths in a box of `width` × `height`, newest at the right; the highest sum touches the top. */
export function sparkPaths(history: readonly SpeedPoint[], width: number, height: number): SparkPaths {
  const top = Math.max(1, ...history.map(({ fromPeers, fromHttp }) => fromPeers + fromHttp));
  const step = width / (HISTORY_POINTS - 1);
  const offset = HISTORY_POINTS - history.length;
  const x = (index: number): number => round((index + offset) * step);
  const y = (value: number): number => round(height - (value / top) * height);
  const ground = history.map((_, index) => `${x(index)} ${height}`);
  const peers = history.map(({ fromPeers }, index) => `${x(index)} ${y(fromPeers)}`);
  const sums = history.map(({ fromPeers, fromHttp }, index) => `${x(index)} ${y(fromPeers + fromHttp)}`);
  return { peers: area(peers, ground), http: area(sums, peers) };
}

function area(upper: readonly string[], lower: readonly string[]): string {
  return upper.length < 2 ? '' : `M${upper.join('L')}L${lower.toReversed().join('L')}Z`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
