/** Knowing that the other side is gone: one `close` listener per socket, however many answers wait on it (pipelining). */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Cancel } from '../base/clock.ts';

const waiting = new WeakMap<Duplex, Set<() => void>>();

/** Calls `gone` once when the connection of `request` closes; at once if it is closed already. */
export function onGone(request: IncomingMessage, gone: () => void): Cancel {
  const { socket } = request;
  if (socket.destroyed) {
    gone();
    return () => undefined;
  }
  const callbacks = waiting.get(socket) ?? listenOnce(socket);
  callbacks.add(gone);
  return () => callbacks.delete(gone);
}

function listenOnce(socket: Duplex): Set<() => void> {
  const callbacks = new Set<() => void>();
  waiting.set(socket, callbacks);
  socket.once('close', () => {
    for (const gone of callbacks) gone();
    callbacks.clear();
  });
  return callbacks;
}
