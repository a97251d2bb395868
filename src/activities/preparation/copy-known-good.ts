/**
 * Keeps what booted, before the packages of this phase rebuild the boot images: kernel and initrds in a new folder, which counts once it is
 * complete. A power cut in between leaves the older copy, never a mixture. GRUB opens these files and does not replay the journal, so every
 * one is published.
 * @module
 */
import { GRUB_CFG, KNOWN_GOOD_CURRENT, KNOWN_GOOD_DIR } from '../../domain/host-layout.js';
import { bootTime } from '../../domain/preflight/parse-facts.js';
import {
  bootedKernelPath,
  bootedStanza,
  COPY,
  decideKnownGood,
  initrdName,
  initrdNames,
  initrdPaths,
  renderManifest,
  versionOf,
  type KnownGoodDecision,
} from '../../domain/preparation/known-good.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { imageOf, kernelPathOf } from '../host/boot.js';
import { undamagedCopy } from '../host/known-good-copy.js';
import { readLedgerState } from '../host/ledger.js';
import { additions } from '../host/preview.js';
import { sha256 } from '../host/remote-host.js';

const STEP = 'preparation.copy-known-good';
/** One file of up to some hundred MB, read and written once, with syncs. */
const COPY_TIMEOUT_MS = 5 * 60_000;

/** `SOURCE TARGET`: temporary file beside the target, fsync, rename, `sync -f`; prints the hash of what is then there. */
const PUBLISH_COPY = `set -eu
source=$1 target=$2
mkdir -p "\${target%/*}"
tmp=\${target%/*}/.\${target##*/}.gp~
cp "$source" "$tmp"
chown 0:0 "$tmp"
chmod 600 "$tmp"
sync "$tmp"
want=$(sha256sum < "$source" | cut -d' ' -f1)
got=$(sha256sum < "$tmp" | cut -d' ' -f1)
if [ "$got" != "$want" ]; then rm -f "$tmp"; echo "copied $got, wanted $want" >&2; exit 70; fi
mv -T "$tmp" "$target"
sync -f "$target"
sha256sum < "$target" | cut -d' ' -f1`;

interface Sources {
  readonly kernel: string;
  /** In the order GRUB loaded them. */
  readonly initrds: readonly string[];
  /** The menu entry that booted; null in a boot that an earlier run made. */
  readonly stanza: string | null;
  readonly version: string;
  readonly commandLine: string;
}

async function sources(ctx: StepContext): Promise<Sources> {
  const { commandLine } = await ctx.host.bootReading();
  const version = (await ctx.host.must(['uname', '-r'])).trim();
  const kernel = bootedKernelPath(commandLine) ?? kernelPathOf(version);
  const stanza = bootedStanza((await ctx.host.readFile(GRUB_CFG)) ?? '', commandLine);
  const initrds = (stanza === null ? null : initrdPaths(stanza)) ?? [imageOf(version)];
  return { kernel, initrds, stanza, version, commandLine: commandLine.trim() };
}

async function decide(ctx: StepContext, from: Sources): Promise<KnownGoodDecision> {
  const { host } = ctx;
  const now = await host.must(['date', '+%s']);
  const uptime = await host.must(['cat', '/proc/uptime']);
  const built = await host.exec(['stat', '-c', '%Y', ...from.initrds]);
  const copy = await undamagedCopy(host);
  const paths = [from.kernel, ...from.initrds];
  const inPlace = await host.hashFiles(paths);
  const kept = copy === null ? null : await host.readFile(`${copy.directory}/${COPY.commandLine}`);
  const names = copy === null ? [] : [COPY.kernel, ...initrdNames(copy.files)];
  return decideKnownGood({
    strategy: ctx.spec.boot.strategy,
    commandLine: from.commandLine,
    kernel: from.version,
    bootTime: bootTime(now, uptime),
    imageMtime: built.exitCode === 0 ? Math.max(...built.stdout.trim().split('\n').map(Number)) : null,
    committed: (await readLedgerState(host))?.state === 'committed',
    copy:
      copy === null
        ? null
        : {
            kernel: /vmlinuz-(\S+)$/.exec(bootedKernelPath(kept ?? '') ?? '')?.[1] ?? '',
            sameAsInPlace:
              names.length === paths.length &&
              names.every((name, n) => copy.files.get(name) === inPlace.get(paths[n] ?? '')),
          },
  });
}

interface Planned {
  readonly directory: string;
  /** Source and name of each file that is copied. */
  readonly copied: readonly { readonly source: string; readonly name: string }[];
  /** Name and content of each file that is written; the manifest last. */
  readonly written: readonly { readonly name: string; readonly content: string }[];
  readonly hashes: ReadonlyMap<string, string>;
}

/** The copy as it will be. Throws OutputUnexpected when it can't be told what booted. */
async function planned(ctx: StepContext, from: Sources): Promise<Planned> {
  const { host } = ctx;
  if (from.kernel !== kernelPathOf(from.version))
    throw new ProvisionError(
      'OutputUnexpected',
      `GRUB booted ${from.kernel}, but the kernel that runs is ${from.version}`,
    );
  if (from.stanza === null)
    throw new ProvisionError('OutputUnexpected', `${GRUB_CFG} has no entry that boots ${from.kernel}`);
  if (initrdPaths(from.stanza)?.includes(imageOf(from.version)) !== true)
    throw new ProvisionError('OutputUnexpected', `the entry that booted does not load ${imageOf(from.version)}`);
  const copied = [
    { source: from.kernel, name: COPY.kernel },
    ...from.initrds.map((source) => ({ source, name: initrdName(source) })),
  ];
  const found = await host.hashFiles(copied.map(({ source }) => source));
  const hashes = new Map<string, string>();
  for (const { source, name } of copied) {
    const hash = found.get(source) ?? null;
    if (hash === null || hashes.has(name))
      throw new ProvisionError(
        'OutputUnexpected',
        `the entry that booted loads ${source}: it is gone, or there are two`,
      );
    hashes.set(name, hash);
  }
  const texts = [
    { name: COPY.stanza, content: from.stanza },
    { name: COPY.commandLine, content: `${from.commandLine}\n` },
  ];
  for (const { name, content } of texts) hashes.set(name, sha256(content));
  const manifest = renderManifest(hashes);
  return {
    directory: `${KNOWN_GOOD_DIR}/${versionOf(sha256(manifest))}`,
    copied,
    written: [...texts, { name: COPY.manifest, content: manifest }],
    hashes,
  };
}

async function publish(ctx: StepContext, plan: Planned): Promise<void> {
  const { host } = ctx;
  for (const { source, name } of plan.copied) {
    ctx.heartbeat(`copying ${source}`);
    const target = `${plan.directory}/${name}`;
    if (!(await host.exists(target))) await host.saveOriginal(target, STEP);
    const hash = (await host.changeScript(PUBLISH_COPY, [source, target], { timeoutMs: COPY_TIMEOUT_MS })).trim();
    if (hash !== plan.hashes.get(name))
      throw new ProvisionError('StepNotVerified', `${source} changed while it was copied`);
  }
  for (const { name, content } of plan.written)
    await host.writeFile({ path: `${plan.directory}/${name}`, content, mode: '600' }, STEP);
  const version = plan.directory.slice(KNOWN_GOOD_DIR.length + 1);
  await host.writeFile({ path: KNOWN_GOOD_CURRENT, content: `${version}\n`, mode: '600' }, STEP);
}

export const copyKnownGood: StepImplementation = {
  preview: async (ctx) => {
    const from = await sources(ctx);
    if ((await decide(ctx, from)).kind !== 'copy') return [];
    const { directory, copied } = await planned(ctx, from);
    return additions(
      'file',
      copied.map(({ name }) => `${directory}/${name}`),
    );
  },
  check: async (ctx) => {
    const decision = await decide(ctx, await sources(ctx));
    return decision.kind === 'keep' ? { summary: decision.why } : null;
  },
  apply: async (ctx) => {
    const from = await sources(ctx);
    const decision = await decide(ctx, from);
    if (decision.kind === 'refuse') throw new ProvisionError('Blocked', decision.why);
    if (decision.kind === 'copy') await publish(ctx, await planned(ctx, from));
  },
  verify: async (ctx) => {
    if (ctx.spec.boot.strategy === 'direct') return { summary: 'direct strategy: no known-good copy' };
    const copy = await undamagedCopy(ctx.host);
    if (copy === null)
      throw new ProvisionError('StepNotVerified', `${KNOWN_GOOD_DIR} holds no complete and undamaged copy`);
    return { summary: 'kernel and image that booted are kept', facts: Object.fromEntries(copy.files) };
  },
};
