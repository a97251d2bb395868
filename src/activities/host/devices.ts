/**
 * Reads the host's PCI devices, and what the truth table is judged by besides them.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseLspci, type LspciDevice } from '../../domain/gpu/lspci.js';
import { parsePciDevices, type Parsed, type PciDeviceFacts } from '../../domain/gpu/pci.js';
import type { TruthBaseline, TruthContext } from '../../domain/gpu/truth-table.js';
import { HOOK_STATUS_PATH } from '../../domain/host-layout.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext } from '../define-step.js';
import type { RemoteHost } from './remote-host.js';

/**
 * Every PCI device from sysfs; columns as parsePciDevices names them. Reads never fail the list: what can't be read is `-`.
 * The group's name tells a noiommu group, which has a number like any other. The first four bytes of a device that has fallen
 * off the bus read as ff.
 */
export const LIST_PCI_DEVICES = `set -u
value() {
  word=-
  if [ -r "$1" ]; then read -r word 2>/dev/null < "$1" || [ -n "$word" ] || word=-; fi
  if [ -z "$word" ]; then word=-; fi
}
link() {
  word=-
  if [ -e "$1" ]; then word=$(readlink "$1") || word=-; fi
  word=\${word##*/}
}
ones=$(printf '\\377\\377\\377\\377')
count=0
for path in /sys/bus/pci/devices/*; do
  if [ ! -e "$path/vendor" ]; then continue; fi
  value "$path/vendor"; vendor=$word
  value "$path/device"; device=$word
  value "$path/class"; class=$word
  value "$path/driver_override"; override=$word
  value "$path/current_link_width"; width=$word
  value "$path/max_link_width"; max=$word
  value "$path/iommu_group/name"; kind=$word
  link "$path/driver"; driver=$word
  link "$path/iommu_group"; group=$word
  if [ "$kind" = vfio-noiommu ]; then group=noiommu-$group; fi
  config=ok
  first=$(head -c 4 "$path/config" 2>/dev/null)
  if [ -z "$first" ] || [ "$first" = "$ones" ]; then config=dead; fi
  node=-
  if [ "$group" != - ] && [ -e "/dev/vfio/$group" ]; then node=node; fi
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "\${path##*/}" "$vendor" "$device" "$class" \\
    "$driver" "$override" "$group" "$width" "$max" "$config" "$node"
  count=$((count + 1))
done
printf 'end\\t%s\\n' "$count"`;

/** Between two looks at processes in uninterruptible sleep: such a state is normal for a moment, not for seconds. */
const STUCK_SAMPLE_GAP_MS = 5_000;

type HostOnly = { readonly host: RemoteHost };

/** Every PCI device of the host. Throws OutputUnexpected when the list is garbled or cut short. */
export async function readDevices(ctx: HostOnly): Promise<readonly PciDeviceFacts[]> {
  return parsed(parsePciDevices(await ctx.host.script(LIST_PCI_DEVICES)));
}

/** What lspci says, as data; null when it is not installed. */
async function readLspci(ctx: HostOnly): Promise<readonly LspciDevice[] | null> {
  const result = await ctx.host.exec(['lspci', '-Dvmmnnk']);
  return result.exitCode === 0 ? parsed(parseLspci(result.stdout)) : null;
}

/** The formats without -m may change with every version of lspci: good for eyes only. */
async function lspciText(ctx: HostOnly): Promise<string> {
  const result = await ctx.host.exec(['lspci', '-Dnnk', '-d', '10de:']);
  return result.exitCode === 0 ? result.stdout : '';
}

/** Names of units in state failed, sorted. */
export async function readFailedUnits(ctx: HostOnly): Promise<readonly string[]> {
  const out = await ctx.host.must([
    'systemctl',
    'list-units',
    '--state=failed',
    '--plain',
    '--no-legend',
    '--no-pager',
  ]);
  return out
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((unit) => unit !== '')
    .toSorted();
}

/** Processes in uninterruptible sleep now and again seconds later. The second look is taken only if the first found any. */
export async function readStuckProcesses(ctx: HostOnly & { readonly signal: AbortSignal }): Promise<readonly string[]> {
  const first = await sleepers(ctx);
  if (first.length === 0) return [];
  await delay(STUCK_SAMPLE_GAP_MS, undefined, { signal: ctx.signal });
  const second = await sleepers(ctx);
  return first.filter((process) => second.includes(process));
}

async function sleepers(ctx: HostOnly): Promise<readonly string[]> {
  const out = await ctx.host.must(['ps', '-eo', 'pid=,stat=,comm=']);
  const found: string[] = [];
  for (const line of out.split('\n')) {
    const match = /^\s*(\d+)\s+D\S*\s+(.+)$/.exec(line);
    if (match !== null) found.push(`${match[2]} (pid ${match[1]})`);
  }
  return found;
}

/** Reads everything the truth table needs besides the devices themselves. */
export async function readTruthContext(
  ctx: Pick<StepContext, 'host' | 'signal'>,
  baseline: TruthBaseline,
): Promise<TruthContext> {
  return {
    baseline,
    failedUnits: await readFailedUnits(ctx),
    hookStatus: await ctx.host.readFile(HOOK_STATUS_PATH),
    stuckProcesses: await readStuckProcesses(ctx),
    lspci: await readLspci(ctx),
    lspciText: await lspciText(ctx),
  };
}

function parsed<T>(result: Parsed<T>): T {
  if (!result.ok) throw new ProvisionError('OutputUnexpected', result.problem);
  return result.value;
}
