/** The error of a target that no process can serve. */

import { ConfigurationError } from '../../errors.js';

/** usage: what was asked for is not there; else the message is what the user's own code threw, with its stack. */
export class CannotStart extends ConfigurationError {
  override name = 'CannotStart';

  constructor(
    message: string,
    readonly usage: boolean,
  ) {
    super(message);
  }
}
