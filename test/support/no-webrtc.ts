/** Preloaded (`node --import`) into a program under test: a system for which WebRTC's native library does not exist. */
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === 'node-datachannel') throw new Error('no binary for this system');
    return nextResolve(specifier, context);
  },
});
