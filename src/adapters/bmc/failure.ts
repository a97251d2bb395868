/**
 * What goes wrong with a BMC.
 * @module
 */
import { ProvisionError } from '../../ports/failure.js';

/** `where` names the server and its BMC; `tried` is what was asked of it. */
export function bmcUnavailable(where: string, tried: string, why: string, cause?: unknown): ProvisionError {
  return new ProvisionError(
    'BmcUnavailable',
    `${where}: ${tried}: ${why}`,
    { tried },
    cause === undefined ? {} : { cause },
  );
}

/** The BMC understood an action and declined it, so nothing has happened to the power. */
export class ActionRefused extends Error {
  override readonly name = 'ActionRefused';
}
