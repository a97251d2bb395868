/**
 * A test environment with time skipping on the server of the tier. The SDK has this only for servers that it starts itself.
 * @module
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

interface WithCreate {
  create(options: {
    server: { type: 'existing' };
    supportsTimeSkipping: true;
    address: string;
    namespace: string;
  }): Promise<TestWorkflowEnvironment>;
}

/** Close it with `teardown()`; the server goes on. While one result is awaited time is skipped for every run on the server. */
export function connectTimeSkipping(address: string): Promise<TestWorkflowEnvironment> {
  // `create` is what `createTimeSkipping` and `createFromExistingServer` both call; TypeScript marks it private.
  return (TestWorkflowEnvironment as unknown as WithCreate).create({
    server: { type: 'existing' },
    supportsTimeSkipping: true,
    address,
    namespace: 'default',
  });
}
