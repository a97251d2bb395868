/**
 * Prints the matrix at the end: steps down, faults across. `GPU_PROVISION_MATRIX_WRITE=FILE` also keeps it as Markdown, after every lane.
 * @module
 */
import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase } from 'vitest/node';
import { PHASES } from '../../src/domain/run/phases.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import { FAULTS } from './faults.js';
import { stepsHit, type Cell } from './cell.js';

declare module 'vitest' {
  interface TaskMeta {
    /** What a lane of the matrix found. */
    cells?: readonly Cell[];
  }
}

const FILE = process.env['GPU_PROVISION_MATRIX_WRITE'];

export default class TableReporter implements Reporter {
  private readonly cells: Cell[] = [];
  private readonly began = Date.now();

  onTestCaseResult(test: TestCase): void {
    const { cells } = test.meta();
    if (cells === undefined) return;
    this.cells.push(...cells);
    if (FILE !== undefined) writeFileSync(FILE, this.page());
  }

  onTestRunEnd(): void {
    if (this.cells.length === 0) return;
    console.log(`\n${this.rows().join('\n')}\n\n${this.failures().join('\n')}\n${this.counts()}`);
  }

  private page(): string {
    return [
      '# Failure matrix',
      '',
      'Every step by every fault, on the simulated rack with a real Temporal server: how the run ended. Written by',
      '`GPU_PROVISION_MATRIX_WRITE=docs/failure-matrix.md npm run test:matrix`; [lab.md](lab.md#the-failure-matrix) says what is done and checked.',
      '',
      ...this.rows(),
      '',
      ...this.failures(),
      this.counts(),
      '',
    ].join('\n');
  }

  /** A Markdown table. `-`: the fault does not apply there; empty: not run. */
  private rows(): string[] {
    const row = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
    const names = FAULTS.map(({ name }) => name);
    const rows = [row(['step', ...names]), row(['', ...names].map(() => '---'))];
    for (const phase of PHASES)
      for (const step of stepsOf(phase.name)) {
        const texts = FAULTS.map((fault) => {
          if (!stepsHit(phase, fault).includes(step)) return '-';
          const cell = this.cells.find((c) => c.step === step.name && c.fault === fault.name);
          if (cell === undefined) return '';
          return cell.problems.length === 0 ? (cell.outcome ?? 'none') : '**FAILED**';
        });
        rows.push(row([step.name, ...texts]));
      }
    return rows;
  }

  /** Each problem once, with the cells that have it. */
  private failures(): string[] {
    const steps = new Map<string, string[]>();
    for (const { step, fault, problems } of this.cells)
      for (const problem of problems) {
        const key = `- ${fault}: ${problem.replaceAll('\n', ' / ')}`;
        steps.set(key, [...(steps.get(key) ?? []), step]);
      }
    return [...steps].map(([problem, names]) => `${problem} (${names.join(', ')})`);
  }

  private counts(): string {
    const failed = this.cells.filter(({ problems }) => problems.length > 0).length;
    const seconds = Math.round((Date.now() - this.began) / 1_000);
    return `${this.cells.length} cells, ${this.cells.length - failed} passed, ${failed} failed, ${seconds} s`;
  }
}
