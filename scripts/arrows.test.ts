import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { violationsIn, violationsOf } from './arrows.js';

describe('the arrows between the parts', () => {
  it('hold in the whole tree', () => {
    const found = violationsIn(fileURLToPath(new URL('..', import.meta.url)));
    expect(found.map(({ where, why }) => `${where}: ${why}`)).toEqual([]);
  });

  it.each([
    [
      'src/domain/a.ts',
      `import { readFile } from 'node:fs/promises';`,
      'domain may not import node:fs/promises (of Node)',
    ],
    ['src/domain/a.ts', `import { createHash } from 'crypto';`, 'domain may not import crypto (of Node)'],
    ['src/domain/a.ts', `import { z } from 'zod';`, 'domain may not import zod (a package)'],
    [
      'src/domain/run/a.ts',
      `import type { Host } from '../../ports/host.js';`,
      'domain may not import ports (src/ports/host.ts)',
    ],
    ['src/workflows/a.ts', `const fs = await import('node:fs');`, 'workflows may not import node:fs (of Node)'],
    [
      'src/workflows/a.ts',
      `import { run } from '../activities/index.js';`,
      'workflows may not import activities (src/activities/index.ts)',
    ],
    [
      'src/workflows/a.ts',
      `import '../adapters/ssh/pool.js';`,
      'workflows may not import adapters (src/adapters/ssh/pool.ts)',
    ],
    [
      'src/activities/a.ts',
      `export * from '../adapters/ssh/pool.js';`,
      'activities may not import adapters (src/adapters/ssh/pool.ts)',
    ],
    [
      'src/activities/a.ts',
      `import { rack } from '../../lab/rack/index.js';`,
      'activities may not import lab (lab/rack/index.ts)',
    ],
    [
      'src/client/a.ts',
      `import { ssh } from '../adapters/ssh/index.js';`,
      'client may not import adapters (src/adapters/ssh/index.ts)',
    ],
    [
      'src/cli/a.ts',
      `import { preflight } from '../activities/preflight.js';`,
      'cli may not import activities (src/activities/preflight.ts)',
    ],
    [
      'lab/rack/a.ts',
      `import { hook } from '../../src/activities/hook.js';`,
      'lab may not import activities (src/activities/hook.ts)',
    ],
    [
      'lab/rack/a.ts',
      `import { run } from '../../src/workflows/run.js';`,
      'lab may not import workflows (src/workflows/run.ts)',
    ],
    [
      'src/domain/a.ts',
      `import pkg from '../../package.json';`,
      'domain may not import package.json, which belongs to no layer',
    ],
  ])('are broken in %s by: %s', (file, source, why) => {
    expect(violationsOf(file, `// first line\n${source}\n`)).toEqual([{ where: `${file}:2`, why }]);
  });

  it.each([
    ['src/domain/run/a.ts', `import { b } from '../boot/b.js';`],
    ['src/workflows/a.ts', `import type * as activities from '../activities/index.js';`],
    ['src/workflows/a.ts', `import { sleep } from '@temporalio/workflow';`],
    ['src/ports/a.ts', `import type { Duplex } from 'node:stream';`],
    ['src/activities/a.ts', `import { STEPS } from '../domain/run/steps.js';`],
    ['src/adapters/ssh/a.ts', `import type { Host } from '../../ports/host.js';`],
    ['src/worker.ts', `import { pool } from './adapters/ssh/pool.js';`],
    ['src/cli/worker.ts', `const { startWorker } = await import('../worker.js');`],
    ['src/domain/a.test.ts', `import { readFile } from 'node:fs/promises';`],
  ])('are kept in %s by: %s', (file, source) => {
    expect(violationsOf(file, source)).toEqual([]);
  });
});
