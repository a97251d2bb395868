/**
 * Keeps what booted, before the packages of this phase rebuild the boot images. Sources are opened by GRUB later, so every file is published:
 * GRUB does not replay the journal.
 * @module
 */
import {
  KNOWN_GOOD_DIR,
  KNOWN_GOOD_INITRD,
  KNOWN_GOOD_KERNEL,
  KNOWN_GOOD_STANZA,
  GRUB_CFG,
} from '../../domain/host-layout.js';
import { bootTime } from '../../domain/preflight/parse-facts.js';
import {
  bootedKernelPath,
  bootedStanza,
  decideKnownGood,
  parseManifest,
  renderManifest,
  type KnownGoodDecision,
} from '../../domain/preparation/known-good.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { readLedgerState } from '../host/ledger.js';
import { additions } from '../host/preview.js';
import { sha256 } from '../host/remote-host.js';

const STEP = 'preparation.copy-known-good';
const CMDLINE = `${KNOWN_GOOD_DIR}/cmdline`;
/** Written last: without it the copy is not complete. */
const MANIFEST = `${KNOWN_GOOD_DIR}/manifest`;
/** Two files of up to some hundred MB, read and written once, with syncs. */
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
  readonly initrd: string;
  readonly version: string;
  readonly commandLine: string;
}

async function sources(ctx: StepContext): Promise<Sources> {
  const { commandLine } = await ctx.host.bootReading();
  const version = (await ctx.host.must(['uname', '-r'])).trim();
  const kernel = bootedKernelPath(commandLine) ?? `/boot/vmlinuz-${version}`;
  return { kernel, initrd: `/boot/initrd.img-${version}`, version, commandLine: commandLine.trim() };
}

/** The manifest of a copy that is complete and whose files have the hashes it says; else null. */
async function readCopy(ctx: StepContext): Promise<ReadonlyMap<string, string> | null> {
  const text = await ctx.host.readFile(MANIFEST);
  const manifest = text === null ? null : parseManifest(text);
  const names = ['vmlinuz', 'initrd.img', 'stanza', 'cmdline'];
  if (manifest === null || !names.every((name) => manifest.has(name))) return null;
  const hashes = await ctx.host.hashFiles(names.map((name) => `${KNOWN_GOOD_DIR}/${name}`));
  return names.every((name) => hashes.get(`${KNOWN_GOOD_DIR}/${name}`) === manifest.get(name)) ? manifest : null;
}

async function decide(ctx: StepContext, from: Sources): Promise<KnownGoodDecision> {
  const { host } = ctx;
  const now = await host.must(['date', '+%s']);
  const uptime = await host.must(['cat', '/proc/uptime']);
  const built = await host.exec(['stat', '-c', '%Y', from.initrd]);
  const copy = await readCopy(ctx);
  const inPlace = await host.hashFiles([from.kernel, from.initrd]);
  const kept = copy === null ? null : await host.readFile(CMDLINE);
  return decideKnownGood({
    strategy: ctx.spec.boot.strategy,
    commandLine: from.commandLine,
    kernel: from.version,
    bootTime: bootTime(now, uptime),
    imageMtime: built.exitCode === 0 ? Number(built.stdout) : null,
    committed: (await readLedgerState(host))?.state === 'committed',
    copy:
      copy === null
        ? null
        : {
            kernel: /vmlinuz-(\S+)$/.exec(bootedKernelPath(kept ?? '') ?? '')?.[1] ?? '',
            sameAsInPlace:
              copy.get('vmlinuz') === inPlace.get(from.kernel) && copy.get('initrd.img') === inPlace.get(from.initrd),
          },
  });
}

async function publish(ctx: StepContext, from: Sources): Promise<void> {
  const { host } = ctx;
  if (from.kernel !== `/boot/vmlinuz-${from.version}`)
    throw new ProvisionError(
      'OutputUnexpected',
      `GRUB booted ${from.kernel}, but the kernel that runs is ${from.version}`,
    );
  const stanza = bootedStanza((await host.readFile(GRUB_CFG)) ?? '', from.commandLine);
  if (stanza === null)
    throw new ProvisionError('OutputUnexpected', `${GRUB_CFG} has no entry that boots ${from.kernel}`);
  const hashes: Record<string, string> = {};
  for (const [source, target, name] of [
    [from.kernel, KNOWN_GOOD_KERNEL, 'vmlinuz'],
    [from.initrd, KNOWN_GOOD_INITRD, 'initrd.img'],
  ] as const) {
    ctx.heartbeat(`copying ${source}`);
    if (!(await host.exists(target))) await host.saveOriginal(target, STEP);
    hashes[name] = (await host.changeScript(PUBLISH_COPY, [source, target], { timeoutMs: COPY_TIMEOUT_MS })).trim();
  }
  for (const [path, content] of [
    [KNOWN_GOOD_STANZA, stanza],
    [CMDLINE, `${from.commandLine}\n`],
  ] as const) {
    hashes[path.slice(KNOWN_GOOD_DIR.length + 1)] = sha256(content);
    await host.writeFile({ path, content, mode: '600' }, STEP);
  }
  await host.writeFile({ path: MANIFEST, content: renderManifest(hashes), mode: '600' }, STEP);
}

export const copyKnownGood: StepImplementation = {
  preview: async (ctx) => {
    const decision = await decide(ctx, await sources(ctx));
    return decision.kind === 'copy' ? additions('file', [KNOWN_GOOD_KERNEL, KNOWN_GOOD_INITRD]) : [];
  },
  check: async (ctx) => {
    const decision = await decide(ctx, await sources(ctx));
    return decision.kind === 'keep' ? { summary: decision.why } : null;
  },
  apply: async (ctx) => {
    const from = await sources(ctx);
    const decision = await decide(ctx, from);
    if (decision.kind === 'refuse') throw new ProvisionError('Blocked', decision.why);
    if (decision.kind === 'copy') await publish(ctx, from);
  },
  verify: async (ctx) => {
    if (ctx.spec.boot.strategy === 'direct') return { summary: 'direct strategy: no known-good copy' };
    const manifest = await readCopy(ctx);
    if (manifest === null)
      throw new ProvisionError('StepNotVerified', `${KNOWN_GOOD_DIR} holds no complete and undamaged copy`);
    return { summary: 'kernel and image that booted are kept', facts: Object.fromEntries(manifest) };
  },
};
