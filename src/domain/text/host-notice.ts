/**
 * What somebody reads who logs in to a host that a run has: whose it is, what is staged, and what a reboot would do now. It is read by people
 * who know nothing of the run, and perhaps about to type `reboot`.
 * @module
 */
import type { NextBoot } from '../boot/custom-cfg.js';
import { NOTICE_TAG } from '../host-layout.js';

export interface HostNotice {
  readonly server: string;
  readonly run: string;
  /** `direct`: the strategy that has no custom.cfg, where nothing stands between a reboot and the images just built. */
  readonly next: NextBoot | 'direct';
}

/** Each stays true over the boot that it speaks of: nobody writes it anew between a reboot and the login after it. */
const WORDS: Readonly<Record<HostNotice['next'], { readonly staged: string; readonly reboot: string }>> = {
  'own-default': { staged: 'nothing', reboot: 'boots the default entry of this host, as without gpu-provision' },
  proven: { staged: 'nothing', reboot: 'boots the entry that was proven, with its GPUs isolated' },
  'known-good': { staged: 'no new entry', reboot: 'boots known-good, a copy of what has booted before' },
  'known-good-trial-staged': {
    staged: 'a new boot image, in the menu of GRUB, not armed',
    reboot: 'boots known-good, a copy of what has booted before',
  },
  'trial-once': {
    staged: 'a new boot image, armed for one boot',
    reboot: 'boots it, once; a reboot of that boot boots known-good',
  },
  'known-good-ordinary-staged': {
    staged: 'the way back to the default entry of this host, not armed',
    reboot: 'boots known-good, a copy of what has booted before',
  },
  'ordinary-once': {
    staged: 'the way back to the default entry of this host, armed for one boot',
    reboot: 'boots that entry, once; a reboot of that boot boots known-good',
  },
  direct: {
    staged: 'whatever is in /boot now (boot.strategy: direct)',
    reboot: 'boots the default entry of this host, with nothing to fall back to',
  },
};

/** By which a notice of whichever run is told from a file of somebody else. */
const FIRST_WORDS = 'gpu-provision holds this host';
export const isNotice = (text: string): boolean => text.startsWith(FIRST_WORDS);

export function renderHostNotice({ server, run, next }: HostNotice): string {
  const { staged, reboot } = WORDS[next];
  return `${FIRST_WORDS}, ${server}. Please leave packages, /boot and GRUB alone.
  run        ${run}
  staged     ${staged}
  a reboot   ${reboot}
  to look    gpu-provision status ${server}     (where the operators work)
             journalctl -t ${NOTICE_TAG}     (here)
`;
}

/** One line for the journal of the host, at the moment in which it becomes so. */
export function hostNoticeLine(happened: string, { server, run, next }: HostNotice): string {
  const { staged, reboot } = WORDS[next];
  return `run ${run} of ${server}: ${happened}. Staged: ${staged}. A reboot ${reboot}`;
}
