/**
 * Logging as a port: events with fields, never prose. Implementations redact nothing by themselves, so callers
 * never pass keys, tokens or private paths.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/** Takes events: a dotted name such as `peer.dial_failed`, and fields. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const ignore = (): void => undefined;

/** Swallows everything; the default of library users and tests. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
