/** What can go wrong on a connection, as this room says it to itself. Explains nothing to a user. */

/** Redis answered with an error. The message is Redis's own, its code in front. */
export class Refusal extends Error {
  override name = 'Refusal';

  /** Does it begin with one of these codes? */
  is(...codes: string[]): boolean {
    return codes.some((code) => this.message.startsWith(code));
  }
}

/**
 * The connection is gone, or was never made; what was not answered may or may not have happened.
 *
 * answered: something closed, refused or reset it, so the host lives; false: it was silence.
 */
export class LinkLost extends Error {
  override name = 'LinkLost';

  constructor(
    message: string,
    readonly answered = true,
  ) {
    super(message);
  }
}

const SILENT = /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EHOSTDOWN|ENOTFOUND|EAI_AGAIN/;

/** An error of the socket or of ioredis as a LinkLost. */
export function lost(error: unknown): LinkLost {
  if (error instanceof LinkLost) return error;
  const { message = '', code = '' } = error as { message?: string; code?: string };
  const said = message || code || String(error);
  const shown = !code || said.includes(code) ? said : `${said} (${code})`;
  return new LinkLost(shown, !SILENT.test(shown));
}
