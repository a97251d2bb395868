/**
 * A program of the lab that Go builds from sources in a folder here, whose go.sum pins every module.
 * @module
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goCommand } from './go.js';
import { sourceFolder, versionOf } from './kept-folder.js';
import { getTool } from './tool.js';
import type { Workshop } from './workshop.js';

export interface GoProgram {
  /** With its version. */
  readonly title: string;
  /** The executable's name in PATH and in its folder. */
  readonly command: string;
  /** Environment variable with the path of an executable to use instead. */
  readonly variable: string;
  /** Folder of the sources, beside this file. */
  readonly folder: string;
  readonly version: string;
  /** What its answer to `--version` ends with. */
  readonly answer: string;
  /** For the linker. */
  readonly flags: string;
  /** What the first build takes, for people. */
  readonly takes: string;
}

const SOURCES = ['go.mod', 'go.sum', 'main.go'] as const;
const ASK_VERSION_TIMEOUT_SECONDS = 30;
/** Five minutes on two idle cores with nothing cached are the most; slow machines and slow proxies get their time. */
const BUILD_TIMEOUT_SECONDS = 45 * 60;
const REPORT_EVERY_PACKAGES = 200;

/** Path of an executable; built and cached when there is none. Throws ToolUnavailable. */
export async function goProgram(program: GoProgram, workshop: Workshop): Promise<string> {
  const { title, command, variable, folder, version } = program;
  const sources = join(sourceFolder(import.meta.url), folder);
  const digest = await versionOf(SOURCES.map((name) => join(sources, name)));
  return getTool(
    {
      title,
      command,
      variable,
      folder: `${folder}-${version}-${digest}`,
      reasonAgainst: (path) => reasonAgainst(program, path, workshop),
      routes: [{ name: 'go build', install: (into) => build(program, sources, into, workshop) }],
      remedies: [],
    },
    workshop,
  );
}

async function reasonAgainst({ answer }: GoProgram, path: string, workshop: Workshop): Promise<string | null> {
  try {
    const said = await workshop.run([path, '--version'], { timeoutSeconds: ASK_VERSION_TIMEOUT_SECONDS });
    return said.trim().endsWith(answer) ? null : `is another program: ${said.slice(0, 80)}`;
  } catch (error) {
    return `cannot be run: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function build(program: GoProgram, sources: string, folder: string, workshop: Workshop): Promise<void> {
  const { command, flags, takes } = program;
  const go = await goCommand(workshop);
  for (const name of SOURCES) await copyFile(join(sources, name), join(folder, name));
  let packages = 0;
  await workshop.run([go, 'build', '-v', '-trimpath', '-mod=readonly', `-ldflags=${flags}`, '-o', command, '.'], {
    // Settings of the person's own Go are taken away. `auto` lets an older Go fetch the one that go.mod asks for.
    env: { GOOS: '', GOARCH: '', GOFLAGS: '', GOWORK: 'off', GOTOOLCHAIN: 'auto', CGO_ENABLED: '0' },
    cwd: folder,
    timeoutSeconds: BUILD_TIMEOUT_SECONDS,
    onLine: (line) => {
      if (line.startsWith('go: ')) return;
      packages += 1;
      if (packages === 1) workshop.report(`  building from source, ${takes}`);
      if (packages % REPORT_EVERY_PACKAGES === 0) workshop.report(`  ${packages} packages built; at ${line}`);
    },
  });
}
