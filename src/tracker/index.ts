/** The tracker: one registry of swarms, and HTTP, UDP and WebSocket in front of it, all without sockets of their own. */
export * from './http.ts';
export * from './ports.ts';
export * from './registry.ts';
export * from './signal-hub.ts';
export type { SignalSession } from './signal-session.ts';
export * from './udp.ts';
