/**
 * Go, which builds tools where they cannot be downloaded. Its module proxy has the toolchains too, as modules, so a machine that reaches
 * package registries only can get one.
 * @module
 */
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadArchive } from './download.js';
import { getTool, type Tool } from './tool.js';
import { releaseArch, thisMachine, type Workshop } from './workshop.js';

/** At least what `kube-apiserver/go.mod` and the Temporal CLI ask for. */
const VERSION = '1.26.8';
/** From 1.21 on Go fetches the newer one that a go.mod asks for. */
const OLDEST = [1, 21] as const;

/** SHA-256 of the zip of `golang.org/toolchain@v0.0.1-go1.26.8.PLATFORM-ARCH`, whose contents sum.golang.org vouched for. */
const TOOLCHAIN: Readonly<Record<string, string>> = {
  'linux-amd64': '30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7',
  'linux-arm64': '02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99',
  'darwin-amd64': 'fe99a2009e5bb51e06d7784f1a486478673512041c2671157bd382806e2aedcf',
  'darwin-arm64': '0aad5fb52b88498885290178adc0bcfe429bc63012621af9f83282eb640bd9c7',
};
const DEFAULT_PROXY = 'https://proxy.golang.org';

const ASK_VERSION_TIMEOUT_SECONDS = 30;

const GO: Tool = {
  title: `Go ${VERSION}`,
  command: 'go',
  variable: 'GPU_PROVISION_GO',
  folder: `go-${VERSION}`,
  reasonAgainst,
  routes: [{ name: 'module proxy', install: fromProxy }],
  remedies: [
    `install Go ${OLDEST.join('.')} or newer so that \`go\` is in PATH: https://go.dev/doc/install`,
    'set GOPROXY to the address of a Go module proxy that this machine reaches',
  ],
};

/** Path of an executable `go`; got and cached when there is none. Throws ToolUnavailable. */
export function goCommand(workshop: Workshop = thisMachine()): Promise<string> {
  return getTool(GO, workshop);
}

async function reasonAgainst(path: string, workshop: Workshop): Promise<string | null> {
  let answer: string;
  try {
    answer = await workshop.run([path, 'version'], {
      // Otherwise a go.mod of the folder we happen to be in decides which Go answers.
      env: { GOTOOLCHAIN: 'local' },
      timeoutSeconds: ASK_VERSION_TIMEOUT_SECONDS,
    });
  } catch (error) {
    return `cannot be run: ${error instanceof Error ? error.message : String(error)}`;
  }
  const version = /^go version (?:devel )?go(\d+)\.(\d+)/m.exec(answer);
  if (version === null) return `does not answer as Go: ${answer.slice(0, 80)}`;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const recent = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return recent ? null : `is Go ${major}.${minor}, older than ${OLDEST.join('.')}`;
}

async function fromProxy(folder: string, workshop: Workshop): Promise<void> {
  const platform = `${workshop.platform}-${releaseArch(workshop)}`;
  const sha256 = TOOLCHAIN[platform];
  if (sha256 === undefined) {
    throw new Error(`no toolchain is pinned for ${platform}, only for ${Object.keys(TOOLCHAIN).join(', ')}`);
  }
  const root = join(folder, 'toolchain');
  const path = `golang.org/toolchain/@v/v0.0.1-go${VERSION}.${platform}.zip`;
  await mkdir(root);
  await fromFirst(proxiesOf(workshop.env), async ({ url, headers }) =>
    // Two levels: the module's path with its version.
    downloadArchive({ url: `${url}/${path}`, headers, sha256, strip: 2 }, root, workshop),
  );
  await makeExecutable(join(root, 'bin'));
  await makeExecutable(join(root, 'pkg', 'tool'));
  const launcher = join(folder, 'go');
  await writeFile(launcher, LAUNCHER);
  await chmod(launcher, 0o755);
}

interface Proxy {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Those of GOPROXY in its order. `direct` and files are left out: they need Go itself. */
function proxiesOf(env: Workshop['env']): readonly Proxy[] {
  const named = env['GOPROXY'];
  const setting = named === undefined || named === '' ? DEFAULT_PROXY : named;
  const entries = setting.split(/[,|]/).map((entry) => entry.trim());
  const end = entries.indexOf('off');
  const urls = entries
    .slice(0, end === -1 ? entries.length : end)
    .filter((entry) => /^https?:/.test(entry) && URL.canParse(entry));
  if (urls.length > 0) return urls.map((url) => proxyAt(new URL(url)));
  throw new Error(`GOPROXY is ${setting}: expected the address of a Go module proxy, such as ${DEFAULT_PROXY}`);
}

/** User and password become a header: fetch refuses them in an address, and messages must not show them. */
function proxyAt(address: URL): Proxy {
  const { username, password } = address;
  address.username = '';
  address.password = '';
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    url: address.href.replace(/\/$/, ''),
    headers: login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` },
  };
}

async function fromFirst(proxies: readonly Proxy[], get: (proxy: Proxy) => Promise<void>): Promise<void> {
  const reasons: string[] = [];
  for (const proxy of proxies) {
    try {
      return await get(proxy);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(reasons.join('\n'));
}

/** A module has no permissions; Go sets those of its programs itself when it fetches a toolchain. */
async function makeExecutable(folder: string): Promise<void> {
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) await chmod(join(file.parentPath, file.name), 0o755);
  }
}

/**
 * It is this Go, with its own caches, whatever variables say for another one. Modules are writable, since otherwise only root could delete the folder.
 */
const LAUNCHER = `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
export GOROOT="$here/toolchain" GOTOOLCHAIN=local GOPATH="$here/path" GOMODCACHE="$here/path/pkg/mod" GOCACHE="$here/cache" GOFLAGS=-modcacherw
exec "$here/toolchain/bin/go" "$@"
`;
