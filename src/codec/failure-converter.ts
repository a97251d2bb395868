/**
 * Failures whose message and stack trace are payloads like everything else, so that they are encrypted too. Only whoever makes failures needs
 * it, workers and workflows; whoever reads them understands both forms. The SDK loads this file by its path.
 * @module
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
