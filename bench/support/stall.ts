/** How long the event loop of a running server stood still, as its own metrics tell. */
import { SECOND_MS } from '../../src/base/units.ts';

const LAG = /^nodejs_eventloop_lag_max_seconds (\S+)$/m;

/** The longest stall since the server's metrics were read last, in ms; reading starts the next period. */
export async function readStallMs(adminOrigin: string): Promise<number> {
  const response = await fetch(`${adminOrigin}/metrics`);
  const seconds = LAG.exec(await response.text())?.[1];
  if (seconds === undefined) throw new Error('the server tells no event loop lag');
  return Number(seconds) * SECOND_MS;
}
