import { expect, test } from 'vitest';
import * as errors from '../base/errors.ts';
import { answerFor, MethodNotAllowed, Misdirected, PreconditionFailed } from './errors.ts';

test.each([
  [new errors.InvalidInput('x'), 400],
  [new errors.ProtocolError('x'), 400],
  [new errors.Unauthorized('x'), 401],
  [new errors.Forbidden('x'), 403],
  [new errors.NotFound('x'), 404],
  [new MethodNotAllowed('PUT', ['GET']), 405],
  [new errors.TimedOut('x'), 408],
  [new errors.Conflict('x'), 409],
  [new errors.HashMismatch('x'), 409],
  [new errors.LengthRequired('x'), 411],
  [new PreconditionFailed('x'), 412],
  [new errors.TooLarge('x'), 413],
  [new errors.UnsupportedType('x'), 415],
  [new Misdirected('x'), 421],
  [new errors.RateLimited('x'), 429],
  [new errors.StorageFailed('x'), 500],
  [new errors.Unavailable('x'), 503],
  [new errors.Cancelled('x'), 503],
  [new errors.NoSpace('x'), 507],
])('%s answers its own status', (error, status) => {
  const answer = answerFor(error);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ code: error.code, message: error.message });
});

test('an error that is not ours is 500 and shows nothing of itself', () => {
  const answer = answerFor(new Error('/home/me/secret.key: ENOENT'));
  expect(answer.status).toBe(500);
  expect(JSON.stringify(answer)).not.toContain('secret');
});

test('facts travel as JSON, without those that are unknown', () => {
  const { body } = answerFor(new errors.TooLarge('too large', { maxBytes: 5, name: undefined }));
  expect(JSON.parse(body)).toEqual({ code: 'too_large', message: 'too large', facts: { maxBytes: 5 } });
});

test('no text can break out of the X-Reason header', () => {
  const { headers } = answerFor(new errors.InvalidInput(`a\r\nSet-Cookie: x=1\u0000ü${'y'.repeat(5000)}`));
  expect(headers['x-reason']).toMatch(/^a\?\?Set-Cookie: x=1\?\?y+$/);
  expect(headers['x-reason']?.length).toBeLessThanOrEqual(300);
});

test('a caller that may come back is told when, and how to sign in', () => {
  expect(answerFor(new errors.RateLimited('x')).headers['retry-after']).toBe('30');
  expect(answerFor(new errors.Unauthorized('x')).headers['www-authenticate']).toBe('Nostr');
  expect(answerFor(new MethodNotAllowed('PUT', ['GET', 'HEAD'])).headers['allow']).toBe('GET, HEAD');
});
