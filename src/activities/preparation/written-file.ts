/**
 * A step that is one file and what must happen for it to take effect.
 * @module
 */
import type { StepResult } from '../../domain/run/steps.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { previewFile } from '../host/preview.js';
import type { FileContent } from '../host/remote-host.js';

export interface WrittenFile {
  readonly name: string;
  readonly file: (ctx: StepContext) => Promise<FileContent> | FileContent;
  /** Makes the written file count. Also runs when the file was right and only its effect was missing. */
  readonly activate?: (ctx: StepContext, changed: boolean) => Promise<void>;
  /** What is not as the file says, read back from whoever obeys it; empty when all is. */
  readonly problems?: (ctx: StepContext) => Promise<readonly string[]>;
  readonly summary: string;
  /** Changes besides the file. */
  readonly also?: NonNullable<StepImplementation['preview']>;
}

export function writtenFileStep(step: WrittenFile): StepImplementation {
  const problems = async (ctx: StepContext): Promise<readonly string[]> => {
    const file = await step.file(ctx);
    if (!(await ctx.host.fileIs(file))) return [`${file.path} is not as wanted`];
    return (await step.problems?.(ctx)) ?? [];
  };
  const result: Omit<StepResult, 'changed'> = { summary: step.summary };
  return {
    preview: async (ctx) => [
      ...(await previewFile(ctx.host, await step.file(ctx))),
      ...((await step.also?.(ctx)) ?? []),
    ],
    check: async (ctx) => ((await problems(ctx)).length === 0 ? result : null),
    apply: async (ctx) => {
      const changed = await ctx.host.writeFile(await step.file(ctx), step.name);
      await step.activate?.(ctx, changed);
    },
    verify: async (ctx) => {
      const found = await problems(ctx);
      if (found.length > 0) throw new ProvisionError('StepNotVerified', found.join('; '));
      return result;
    },
  };
}
