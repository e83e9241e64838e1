/** Giving the event loop a turn in the middle of long arithmetic, so that nothing else waits for it. */

/** Resolves after everything that waits has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
