/**
 * How a tool is got: what the user names, what is installed, what was got before, then each route in turn. A tool is built in a folder of its own
 * beside its place and moved there whole, so an interrupted build leaves nothing that looks finished.
 * @module
 */
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from './lock.js';
import { findInPath, isExecutable, type Workshop } from './workshop.js';

export interface Route {
  /** As the error message lists it: `download`, `go install`. */
  readonly name: string;
  /** Puts the tool into an empty folder. Throws, with the reason, when that cannot be done here. */
  install(folder: string, workshop: Workshop): Promise<void>;
}

export interface Tool {
  /** With its version: `Temporal CLI 1.5.1`. */
  readonly title: string;
  /** Its name in PATH and in its folder. */
  readonly command: string;
  /** Environment variable with the path of an executable to use instead. */
  readonly variable: string;
  /** Folder in the cache; the version is part of its name. */
  readonly folder: string;
  /** Why an executable from elsewhere cannot be used, or null. */
  reasonAgainst(path: string, workshop: Workshop): Promise<string | null>;
  readonly routes: readonly Route[];
  /** What a person may install, one line each. */
  readonly remedies: readonly string[];
}

/** The user named an executable that cannot be used, or no route worked. The message is for the person at the terminal. */
export class ToolUnavailable extends Error {
  override readonly name = 'ToolUnavailable';
}

/** Path of the tool's executable. Throws ToolUnavailable. */
export async function getTool(tool: Tool, workshop: Workshop): Promise<string> {
  const tried: [where: string, what: string][] = [];

  const named = workshop.env[tool.variable];
  if (named !== undefined && named !== '') {
    const against = (await isExecutable(named)) ? await tool.reasonAgainst(named, workshop) : 'no executable file';
    if (against === null) return named;
    throw new ToolUnavailable(`${tool.variable} is ${named}: ${against}. Correct it, or unset it.`);
  }
  tried.push([tool.variable, 'not set']);

  const installed = await findInPath(tool.command, workshop.env);
  if (installed !== null) {
    const against = await tool.reasonAgainst(installed, workshop);
    if (against === null) return installed;
    tried.push(['PATH', `${installed}: ${against}`]);
  } else {
    tried.push(['PATH', `no ${tool.command}`]);
  }

  const place = join(workshop.cacheDir, tool.folder);
  const executable = join(place, tool.command);
  if (await isExecutable(executable)) return executable;

  await mkdir(workshop.cacheDir, { recursive: true });
  return withLock(
    join(workshop.cacheDir, `${tool.folder}.lock`),
    (pid) => workshop.report(`${tool.title}: process ${pid} is getting it; waiting for that`),
    async () => {
      if (await isExecutable(executable)) return executable;
      for (const route of tool.routes) {
        workshop.report(`${tool.title}: trying ${route.name}`);
        const folder = await mkdtemp(join(workshop.cacheDir, `.${tool.folder}-`));
        try {
          await route.install(folder, workshop);
          const against = await tool.reasonAgainst(join(folder, tool.command), workshop);
          if (against !== null) throw new Error(`${route.name} gave something unusable: ${against}`);
          await chmod(folder, 0o755); // mkdtemp makes it private; the cache may be shared
          await rm(place, { recursive: true, force: true });
          await rename(folder, place);
          workshop.report(`${tool.title}: ready, kept in ${place}`);
          return executable;
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          tried.push([route.name, reason]);
          workshop.report(`${tool.title}: ${route.name} did not work: ${reason.split('\n', 1)[0]}`);
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      }
      throw new ToolUnavailable(describe(tool, tried));
    },
  );
}

function describe(tool: Tool, tried: readonly (readonly [string, string])[]): string {
  const width = Math.max(...tried.map(([where]) => where.length)) + 2;
  return [
    `${tool.title} is needed and could not be got. Tried:`,
    ...tried.map(([where, what]) => `  ${where.padEnd(width)}${what.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`),
    'Any one of these helps:',
    ...tool.remedies.map((remedy) => `  - ${remedy}`),
    `  - set ${tool.variable} to the path of the executable`,
  ].join('\n');
}
