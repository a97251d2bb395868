/**
 * The Temporal CLI, whose `server start-dev` is a whole Temporal server with its UI in one process.
 * @module
 */
import { downloadArchive } from './download.js';
import { goCommand } from './go.js';
import { getTool, type Tool } from './tool.js';
import { releaseArch, thisMachine, type Workshop } from './workshop.js';

/** The newest one that `go install` accepts: later ones have `replace` directives in their go.mod. Brings server 1.29.1 and UI 2.42.1. */
const VERSION = '1.5.1';
/** Of the server inside: from 1.28 on it keeps updates, current details and search attributes as the workflow uses them. */
const OLDEST_SERVER = [1, 28] as const;

/** SHA-256 of `temporal_cli_1.5.1_PLATFORM_ARCH.tar.gz`. */
const RELEASE: Readonly<Record<string, string>> = {
  linux_amd64: 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  linux_arm64: 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  darwin_amd64: 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  darwin_arm64: 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

const ASK_VERSION_TIMEOUT_SECONDS = 30;
/** Three minutes on two idle cores with nothing cached; slow machines and slow proxies get their time. */
const BUILD_TIMEOUT_SECONDS = 30 * 60;
const REPORT_EVERY_PACKAGES = 200;
const REPORT_EVERY_MODULES = 50;

const TEMPORAL_CLI: Tool = {
  title: `Temporal CLI ${VERSION}`,
  command: 'temporal',
  variable: 'GPU_PROVISION_TEMPORAL',
  folder: `temporal-${VERSION}`,
  reasonAgainst,
  routes: [
    { name: 'download', install: download },
    { name: 'go install', install: build },
  ],
  remedies: ['install the Temporal CLI so that `temporal` is in PATH: https://docs.temporal.io/cli/setup-cli'],
};

/** Path of an executable `temporal`; got and cached when there is none. Throws ToolUnavailable. */
export function temporalCli(workshop: Workshop = thisMachine()): Promise<string> {
  return getTool(TEMPORAL_CLI, workshop);
}

async function reasonAgainst(path: string, workshop: Workshop): Promise<string | null> {
  let answer: string;
  try {
    answer = await workshop.run([path, '--version'], { timeoutSeconds: ASK_VERSION_TIMEOUT_SECONDS });
  } catch (error) {
    return `cannot be run: ${error instanceof Error ? error.message : String(error)}`;
  }
  const server = /\(Server (\d+)\.(\d+)/i.exec(answer);
  if (server === null) return `does not answer as a Temporal CLI: ${answer.slice(0, 80)}`;
  const [major, minor] = [Number(server[1]), Number(server[2])];
  const recent = major > OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor >= OLDEST_SERVER[1]);
  return recent ? null : `its server is ${major}.${minor}, older than ${OLDEST_SERVER.join('.')}`;
}

async function download(folder: string, workshop: Workshop): Promise<void> {
  const arch = releaseArch(workshop);
  const sha256 = RELEASE[`${workshop.platform}_${arch}`];
  if (sha256 === undefined) throw new Error(`no release for ${workshop.platform} on ${workshop.arch}`);
  const name = `temporal_cli_${VERSION}_${workshop.platform}_${arch}.tar.gz`;
  const url = `https://github.com/temporalio/cli/releases/download/v${VERSION}/${name}`;
  await downloadArchive({ url, sha256, strip: 0 }, folder, workshop);
}

async function build(folder: string, workshop: Workshop): Promise<void> {
  const go = await goCommand(workshop);
  let modules = 0;
  let packages = 0;
  await workshop.run([go, 'install', '-v', `github.com/temporalio/cli/cmd/temporal@v${VERSION}`], {
    // GOBIN refuses cross-compilation, so settings for it are taken away. `auto` lets an older Go fetch the one that the CLI asks for.
    env: { GOBIN: folder, GOOS: '', GOARCH: '', GOFLAGS: '', GOTOOLCHAIN: 'auto' },
    // A go.mod of the folder we happen to be in must not take part.
    cwd: folder,
    timeoutSeconds: BUILD_TIMEOUT_SECONDS,
    onLine: (line) => {
      if (line.startsWith('go: ')) {
        modules += 1;
        if (modules % REPORT_EVERY_MODULES === 0) workshop.report(`  ${modules} modules downloaded`);
        return;
      }
      packages += 1;
      if (packages === 1) workshop.report('  building from source, about 3 minutes on two cores');
      if (packages % REPORT_EVERY_PACKAGES === 0) workshop.report(`  ${packages} packages built; at ${line}`);
    },
  });
}
