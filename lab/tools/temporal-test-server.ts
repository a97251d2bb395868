/**
 * Temporal's time-skipping test server: a day of waiting for an approval passes in milliseconds.
 * @module
 */
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadArchive } from './download.js';
import { getTool, type Tool } from './tool.js';
import { releaseArch, thisMachine, type Workshop } from './workshop.js';

const VERSION = '1.38.0';
const OLDEST_JAVA = 17;

/** SHA-256 of `temporal-test-server_1.38.0_PLATFORM_ARCH.tar.gz`: a native image that needs no Java. Elsewhere Java runs it. */
const RELEASE: Readonly<Record<string, string>> = {
  linux_amd64: '41df834fe8e1ac59619e13908f41b63e4d1054f37634a2f89033d8cf6af71b96',
};

const MAVEN_DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const ASK_VERSION_TIMEOUT_SECONDS = 30;
const MAVEN_TIMEOUT_SECONDS = 15 * 60;
const REPORT_EVERY_FILES = 100;

const TEMPORAL_TEST_SERVER: Tool = {
  title: `Temporal test server ${VERSION}`,
  command: 'temporal-test-server',
  variable: 'GPU_PROVISION_TEMPORAL_TEST_SERVER',
  folder: `temporal-test-server-${VERSION}`,
  // It has no question that it answers and ends; whether it serves is seen when it is started.
  reasonAgainst: async () => null,
  routes: [
    { name: 'download', install: download },
    { name: 'maven', install: resolveWithMaven },
  ],
  remedies: [
    `install Java ${OLDEST_JAVA} or newer and Maven (Debian and Ubuntu: apt install openjdk-${OLDEST_JAVA}-jre-headless maven); the server then comes from Maven Central`,
  ],
};

/** Path of an executable that takes a port and serves on it. Throws ToolUnavailable. */
export function temporalTestServer(workshop: Workshop = thisMachine()): Promise<string> {
  return getTool(TEMPORAL_TEST_SERVER, workshop);
}

async function download(folder: string, workshop: Workshop): Promise<void> {
  const arch = releaseArch(workshop);
  const sha256 = RELEASE[`${workshop.platform}_${arch}`];
  if (sha256 === undefined) throw new Error(`no native release for ${workshop.platform} on ${workshop.arch}`);
  const name = `temporal-test-server_${VERSION}_${workshop.platform}_${arch}.tar.gz`;
  const url = `https://github.com/temporalio/sdk-java/releases/download/v${VERSION}/${name}`;
  await downloadArchive({ url, sha256, strip: 1 }, folder, workshop);
}

async function resolveWithMaven(folder: string, workshop: Workshop): Promise<void> {
  const java = await workshop.run(['java', '-version'], { timeoutSeconds: ASK_VERSION_TIMEOUT_SECONDS });
  const major = Number(/version "(\d+)/.exec(java)?.[1] ?? 0);
  if (major < OLDEST_JAVA) throw new Error(`Java ${OLDEST_JAVA} or newer is needed, found: ${java.split('\n', 1)[0]}`);

  const pom = join(folder, 'pom.xml');
  const lib = join(folder, 'lib');
  await writeFile(pom, POM);
  let files = 0;
  await workshop.run(
    [
      'mvn',
      '--batch-mode',
      '--strict-checksums',
      '--file',
      pom,
      `${MAVEN_DEPENDENCY_PLUGIN}:copy-dependencies`,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${lib}`,
    ],
    {
      timeoutSeconds: MAVEN_TIMEOUT_SECONDS,
      onLine: (line) => {
        if (!line.includes('Downloaded from')) return;
        files += 1;
        if (files % REPORT_EVERY_FILES === 0) workshop.report(`  ${files} files downloaded`);
      },
    },
  );
  const jars = (await readdir(lib)).filter((name) => name.endsWith('.jar'));
  if (!jars.includes(`temporal-test-server-${VERSION}.jar`)) {
    throw new Error(`maven copied ${jars.length} jars, but not temporal-test-server-${VERSION}.jar`);
  }
  const launcher = join(folder, 'temporal-test-server');
  await writeFile(launcher, LAUNCHER);
  await chmod(launcher, 0o755);
}

const POM = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gpu-provision</groupId>
  <artifactId>temporal-test-server-launcher</artifactId>
  <version>${VERSION}</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

/** Serial collector and first-tier compiler: it starts in half the time, and tests start it for every run. */
const LAUNCHER = `#!/bin/sh
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(dirname "$0")/lib/*" io.temporal.testserver.TestServer "$@"
`;
