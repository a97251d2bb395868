import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporalCli } from './temporal-cli.js';
import { temporalTestServer } from './temporal-test-server.js';
import type { Workshop } from './workshop.js';

let root: string;
let ran: (readonly string[])[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'routes-'));
  ran = [];
});
afterEach(() => rm(root, { recursive: true }));

type Program = (argv: readonly string[], env: Readonly<Record<string, string>>) => string | Promise<string>;

/** A machine without network whose programs are these. */
function machine(programs: Readonly<Record<string, Program>>): Workshop {
  return {
    env: { PATH: join(root, 'bin') },
    platform: 'linux',
    arch: 'x64',
    cacheDir: join(root, 'cache'),
    fetch: () =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND example.org') })),
    run: async (argv, options) => {
      ran.push(argv);
      const name = argv[0].split('/').at(-1) ?? '';
      const program = programs[name];
      if (program === undefined) throw new Error(`no ${name} in PATH`);
      const output = await program(argv, options.env ?? {});
      for (const line of output.split('\n')) options.onLine?.(line);
      return output;
    },
    report: () => undefined,
  };
}

const CLI_ANSWER = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)';

describe('temporalCli', () => {
  it('is built by go, into a folder that is moved into place, where it cannot be downloaded', async () => {
    const go = join(root, 'bin', 'go');
    await mkdir(join(root, 'bin'));
    await writeFile(go, '', { mode: 0o755 });
    const path = await temporalCli(
      machine({
        temporal: () => CLI_ANSWER,
        go: async (argv, env) => {
          if (argv[1] === 'version') return 'go version go1.21.0 linux/amd64';
          await writeFile(join(env['GOBIN'] ?? '', 'temporal'), '', { mode: 0o755 });
          return 'internal/goarch\nnet/http';
        },
      }),
    );
    expect(path).toBe(join(root, 'cache', 'temporal-1.5.1', 'temporal'));
    expect(ran.map((argv) => argv.join(' '))).toContain(
      `${go} install -v github.com/temporalio/cli/cmd/temporal@v1.5.1`,
    );
  });

  it.each([
    ['temporal version 1.1.0 (Server 1.25.0, UI 2.30.3)', 'its server is 1.25, older than 1.28'],
    ['something else', 'does not answer as a Temporal CLI: something else'],
  ])('does not use one in PATH that says: %s', async (answer, why) => {
    await mkdir(join(root, 'bin'));
    await writeFile(join(root, 'bin', 'temporal'), '', { mode: 0o755 });
    await expect(temporalCli(machine({ temporal: () => answer }))).rejects.toThrow(`temporal: ${why}`);
  });

  it('says without network and without Go what was tried and what to install', async () => {
    const failure = await temporalCli(machine({})).catch((error: Error) => error.message);
    expect(failure).toBe(
      [
        'Temporal CLI 1.5.1 is needed and could not be got. Tried:',
        '  GPU_PROVISION_TEMPORAL  not set',
        '  PATH                    no temporal',
        '  download                https://github.com/temporalio/cli/releases/download/v1.5.1/temporal_cli_1.5.1_linux_amd64.tar.gz: getaddrinfo ENOTFOUND example.org',
        '  go install              Go 1.26.8 is needed and could not be got. Tried:',
        '                            GPU_PROVISION_GO  not set',
        '                            PATH              no go',
        '                            module proxy      https://proxy.golang.org/golang.org/toolchain/@v/v0.0.1-go1.26.8.linux-amd64.zip: getaddrinfo ENOTFOUND example.org',
        '                          Any one of these helps:',
        '                            - install Go 1.21 or newer so that `go` is in PATH: https://go.dev/doc/install',
        '                            - set GOPROXY to the address of a Go module proxy that this machine reaches',
        '                            - set GPU_PROVISION_GO to the path of the executable',
        'Any one of these helps:',
        '  - install the Temporal CLI so that `temporal` is in PATH: https://docs.temporal.io/cli/setup-cli',
        '  - set GPU_PROVISION_TEMPORAL to the path of the executable',
      ].join('\n'),
    );
  });
});

describe('temporalTestServer', () => {
  const java17 = (): string => 'openjdk version "17.0.15" 2025-04-15';
  const maven: Program = async (argv) => {
    const lib = argv.find((arg) => arg.startsWith('-DoutputDirectory='))?.split('=')[1] ?? '';
    await mkdir(lib);
    await writeFile(join(lib, 'temporal-test-server-1.38.0.jar'), '');
    return 'Downloaded from central: a.jar';
  };

  it('comes from Maven with a launcher that Java runs, where it cannot be downloaded', async () => {
    const path = await temporalTestServer(machine({ java: java17, mvn: maven }));
    const launcher = await readFile(path, 'utf8');
    expect(launcher).toContain('exec java');
    expect(launcher).toContain('io.temporal.testserver.TestServer "$@"');
    expect(await readdir(join(path, '..', 'lib'))).toEqual(['temporal-test-server-1.38.0.jar']);
  });

  it.each([
    [
      'an old Java',
      { java: () => 'java version "11.0.2"', mvn: maven },
      'Java 17 or newer is needed, found: java version "11.0.2"',
    ],
    ['no Java', { mvn: maven }, 'no java in PATH'],
    ['no Maven', { java: java17 }, 'no mvn in PATH'],
    [
      'a Maven that brings something else',
      { java: java17, mvn: async (argv: readonly string[]) => (await mkdir(argv.at(-1)?.split('=')[1] ?? ''), '') },
      'maven copied 0 jars, but not temporal-test-server-1.38.0.jar',
    ],
  ])('says what is missing with %s', async (_case, programs, why) => {
    await expect(temporalTestServer(machine(programs))).rejects.toThrow(why);
  });
});
