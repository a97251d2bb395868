/**
 * A whole control plane in one program: kube-apiserver with etcd inside, and the two controllers that deletions rely on. Built by Go from the
 * sources in `kube-apiserver/`, whose go.sum pins every module.
 * @module
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goCommand } from './go.js';
import { sourceFolder, versionOf } from './kept-folder.js';
import { getTool, type Tool } from './tool.js';
import { thisMachine, type Workshop } from './workshop.js';

/** As `kube-apiserver/go.mod` has it. */
const VERSION = '1.36.3';
/** Not `kube-apiserver`: one in PATH has no etcd inside. */
const COMMAND = 'lab-kube-apiserver';
const FOLDER = join(sourceFolder(import.meta.url), 'kube-apiserver');
const SOURCES = ['go.mod', 'go.sum', 'main.go'] as const;

const ASK_VERSION_TIMEOUT_SECONDS = 30;
/** Five minutes on two idle cores with nothing cached; slow machines and slow proxies get their time. */
const BUILD_TIMEOUT_SECONDS = 45 * 60;
const REPORT_EVERY_PACKAGES = 200;

/** Path of an executable; built and cached when there is none. Throws ToolUnavailable. */
export async function kubeApiserver(workshop: Workshop = thisMachine()): Promise<string> {
  return getTool(tool(FOLDER, await versionOf(SOURCES.map((name) => join(FOLDER, name)))), workshop);
}

function tool(sources: string, digest: string): Tool {
  return {
    title: `kube-apiserver ${VERSION}`,
    command: COMMAND,
    variable: 'GPU_PROVISION_KUBE_APISERVER',
    folder: `kube-apiserver-${VERSION}-${digest}`,
    reasonAgainst,
    routes: [{ name: 'go build', install: (folder, workshop) => build(sources, folder, workshop) }],
    remedies: [],
  };
}

async function reasonAgainst(path: string, workshop: Workshop): Promise<string | null> {
  try {
    const answer = await workshop.run([path, '--version'], { timeoutSeconds: ASK_VERSION_TIMEOUT_SECONDS });
    return answer.trim().endsWith(`with etcd, Kubernetes v${VERSION}`)
      ? null
      : `is another program: ${answer.slice(0, 80)}`;
  } catch (error) {
    return `cannot be run: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function build(sources: string, folder: string, workshop: Workshop): Promise<void> {
  const go = await goCommand(workshop);
  for (const name of SOURCES) await copyFile(join(sources, name), join(folder, name));
  let packages = 0;
  const flags = `-s -w -X k8s.io/component-base/version.gitVersion=v${VERSION}`;
  await workshop.run([go, 'build', '-v', '-trimpath', '-mod=readonly', `-ldflags=${flags}`, '-o', COMMAND, '.'], {
    // Settings of the person's own Go are taken away. `auto` lets an older Go fetch the one that go.mod asks for.
    env: { GOOS: '', GOARCH: '', GOFLAGS: '', GOWORK: 'off', GOTOOLCHAIN: 'auto', CGO_ENABLED: '0' },
    cwd: folder,
    timeoutSeconds: BUILD_TIMEOUT_SECONDS,
    onLine: (line) => {
      if (line.startsWith('go: ')) return;
      packages += 1;
      if (packages === 1) workshop.report('  building from source, about 5 minutes on two cores');
      if (packages % REPORT_EVERY_PACKAGES === 0) workshop.report(`  ${packages} packages built; at ${line}`);
    },
  });
}
