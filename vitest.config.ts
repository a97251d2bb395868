import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { PHASE_NAMES } from './src/domain/run/phases.js';

/**
 * Four tiers run by `npm test`: unit tests beside their source, workflows with skipped time, simulated runs by the thousand, and whole
 * runs on a real Temporal server. The fifth boots virtual machines and has a command of its own, `npm run test:vm`.
 */
export default defineConfig({
  test: {
    // Much of a test's time is spent waiting for servers; one worker, the default on two cores, would leave them idle.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    projects: [
      { test: { name: 'unit', include: ['{src,lab,bench,scripts}/**/*.test.ts'], testTimeout: 20_000 } },
      {
        test: {
          name: 'workflow',
          include: ['test/workflow/**/*.test.ts'],
          globalSetup: ['test/workflow/global-setup.ts'],
          // A run without a cache is replayed by each of its workflow tasks, and by each question about its status.
          testTimeout: process.env['GPU_PROVISION_WORKFLOW_CACHE'] === 'off' ? 600_000 : 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/integration/global-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'matrix',
          include: ['test/matrix/share.test.ts'],
          globalSetup: ['test/matrix/global-setup.ts'],
          hookTimeout: 15 * 60_000,
        },
      },
      // One for each phase, so that they run beside each other.
      ...PHASE_NAMES.map((phase) => ({
        test: {
          name: `matrix-${phase}`,
          include: ['test/matrix/matrix.test.ts'],
          globalSetup: ['test/matrix/global-setup.ts'],
          provide: { matrixPhase: phase },
          // Lanes at a time: most of what they do is waiting.
          maxConcurrency: 3,
          hookTimeout: 60 * 60_000,
        },
      })),
      {
        test: {
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          globalSetup: ['test/vm/global-setup.ts'],
          // A machine without KVM uses a core while it boots, and none while it waits for a time-out of its own.
          fileParallelism: false,
          maxConcurrency: 3,
          // Ten minutes hold a run with three boots and a build of boot images; the base image may have to be built before.
          testTimeout: 40 * 60_000,
          hookTimeout: 40 * 60_000,
        },
      },
    ],
  },
});
