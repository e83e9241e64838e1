/** What set-up tells a person: progress on a terminal, nothing elsewhere, and failures that say what helps. */

/** Set-up cannot go on; the message is for the person who started it. */
export class SetUpFailed extends Error {
  constructor(message, status = 1) {
    super(message);
    this.name = 'SetUpFailed';
    this.status = status;
  }
}

/** Announces a step that takes a while, on terminals only. */
export function say(line) {
  if (process.stderr.isTTY) process.stderr.write(`${line}\n`);
}
