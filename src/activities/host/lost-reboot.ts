/**
 * A reboot of a committed host that ended before its entry was proven: given up in known-good, terminated, or its Temporal is gone. Its menu,
 * with known-good as the default, and its dead-man are still there.
 * @module
 */
import { renderCustomCfg, writtenByRun } from '../../domain/boot/custom-cfg.js';
import { renderDeadManUnit } from '../../domain/boot/dead-man.js';
import { DEAD_MAN_SCRIPT_PATH, DEAD_MAN_UNIT_PATH, GRUB_CUSTOM_CFG } from '../../domain/host-layout.js';
import { generatedDefault } from './boot.js';
import { bootedCopy, undamagedCopy } from './known-good-copy.js';
import type { RemoteHost } from './remote-host.js';

export interface LostReboot {
  readonly run: string;
  /** What it wrote, to the byte: nobody has changed it since. */
  readonly paths: readonly string[];
  /** false when it was lost in its commit: the proven entry is the default already. */
  readonly knownGoodIsDefault: boolean;
}

/** null where custom.cfg is none that a reboot leaves. */
export async function lostReboot(host: RemoteHost): Promise<LostReboot | null> {
  const text = await host.readFile(GRUB_CUSTOM_CFG);
  const run = text === null ? null : writtenByRun(text);
  const copy = await undamagedCopy(host);
  if (run === null || copy === null) return null;
  const booted = await bootedCopy(host, copy);
  const forms = [
    { trial: null, committed: false },
    { trial: await generatedDefault(host), committed: false },
    { trial: null, committed: true },
  ];
  const form = forms.find((candidate) => renderCustomCfg({ runId: run, booted, ...candidate }) === text);
  if (form === undefined) return null;
  const hasDeadMan = (await host.readFile(DEAD_MAN_UNIT_PATH)) === renderDeadManUnit(run);
  return {
    run,
    paths: [GRUB_CUSTOM_CFG, ...(hasDeadMan ? [DEAD_MAN_UNIT_PATH, DEAD_MAN_SCRIPT_PATH] : [])],
    knownGoodIsDefault: !form.committed,
  };
}
