import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { openArtifactStore } from '../../adapters/artifacts/index.js';
import { redactor } from '../../adapters/secrets/index.js';
import type { ArtifactRef } from '../../domain/run/artifacts.js';
import type { ArtifactText } from '../../domain/report/artifacts-section.js';
import { renderReport } from '../../domain/report/page.js';
import { reportOf, type Report } from '../../domain/report/report.js';
import { connected, type Deps } from '../deps.js';
import { UsageError } from '../exit.js';
import type { Io } from '../io.js';
import { Screen } from '../screen.js';
import { exitOfLook, type ServerArgs } from './status.js';

export interface ReportArgs extends ServerArgs {
  readonly html?: string;
}

/** The report of the newest run: a page, its data, or both. Exits as `status` does, for the same reason. */
export async function report(deps: Deps, args: ReportArgs): Promise<number> {
  const screen = new Screen(deps.io, args);
  if (args.html !== undefined) await checkFolder(args.html);
  return connected(deps, async (client) => {
    const view = await client.status(args.server);
    // Before anything is escaped: a secret with an ampersand in it would not be found behind one.
    const found = redactor.value(reportOf(view));
    if (args.html !== undefined || !args.json) {
      const path = args.html ?? fileName(found);
      await writePage(path, renderReport(found, await textsOf(found.status?.artifacts ?? [], deps.io.env)));
      if (args.json) screen.progress([`report     ${path}`]);
      else screen.result([path]);
    }
    if (args.json) screen.resultJson(found);
    return exitOfLook(view);
  });
}

/** `h100-01-20261124T1020Z.html`, of the run's begin: the same file for the same run. */
function fileName({ server, known }: Report): string {
  const minute = known.startedAt.slice(0, 16).replaceAll(/[-:]/g, '');
  return `${server}-${minute}Z.html`;
}

/** What of the artifacts can be read from here: of a directory on the worker's machine, elsewhere nothing. */
async function textsOf(artifacts: readonly ArtifactRef[], env: Io['env']): Promise<ReadonlyMap<string, ArtifactText>> {
  const texts = new Map<string, ArtifactText>();
  for (const { sha256, store } of artifacts) {
    if (store === null) continue;
    try {
      const from = openArtifactStore(store, { env, remember: (secret) => redactor.remember(secret) });
      texts.set(sha256, { text: redactor.text(await from.get(sha256)) });
    } catch (error) {
      texts.set(sha256, { problem: redactor.text(error instanceof Error ? error.message : String(error)) });
    }
  }
  return texts;
}

async function checkFolder(path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => null);
  if (folder?.isDirectory() !== true)
    throw new UsageError(`--html ${path}: there is no folder ${dirname(path)}; expected a file in one that exists`);
  const there = await stat(path).catch(() => null);
  if (there?.isDirectory() === true)
    throw new UsageError(`--html ${path} is a folder; expected the name of a file, such as ${path}/report.html`);
}

/** Whole or not at all: an older report is not lost to a disk that is full. */
async function writePage(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  try {
    await writeFile(part, text);
    await rename(part, path);
  } catch (error) {
    // Where it cannot be made it cannot be removed either; the first error says why.
    await rm(part, { force: true }).catch(() => undefined);
    throw new UsageError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
