/** What tests of the browser's store and file hashing run in a worker. */
export { HeldStore } from '../../../web/src/worker/held-store.ts';
export { hashFile } from '../../../web/src/worker/hash-file.ts';
export { systemClock } from '../../../src/base/clock.ts';
export { toHex } from '../../../src/base/bytes.ts';
export { Bitfield } from '../../../src/codec/bitfield.ts';
