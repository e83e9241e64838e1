/** Comparing bytes natively: a simulation compares everything that moves with the truth. */
export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
