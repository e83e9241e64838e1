/** Bytes that node:http cannot read as a request: no handler sees them, so the answer is written on the bare socket. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { InvalidInput } from '../base/errors.ts';
import { answerFor } from './errors.ts';

/** What the parser said → status (RFC 9110 §15.5.9, RFC 6585 §5); 400 for the rest. */
const STATUS_BY_PARSER_CODE: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** For the server's `clientError`: says what was wrong in the form of every other refusal, and closes. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const status = STATUS_BY_PARSER_CODE[error.code ?? ''] ?? 400;
  const { headers, body } = answerFor(new InvalidInput('this is not an HTTP request the server can read'));
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}
