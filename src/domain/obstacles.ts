/**
 * What stands in the way of a run over a server that is provisioned. Each sentence names what would be right.
 * @module
 */
import type { VerifyItem } from './verify.js';

/** What runs on the host and would not come back by itself. */
export interface RunningWork {
  readonly vms: readonly string[];
  readonly gpuProcesses: readonly string[];
}

export function workProblems({ vms, gpuProcesses }: RunningWork): readonly string[] {
  return [
    ...named('VMs run here', vms, 'Stop or move them'),
    ...named('processes hold GPUs', gpuProcesses, 'End them'),
  ];
}

export const named = (what: string, names: readonly string[], remedy: string): readonly string[] =>
  names.length === 0 ? [] : [`${what}: ${names.join(', ')}. ${remedy}`];

export const withoutHashes = (run: string): string =>
  `run ${run} was committed by an older version, which kept no hashes of what it left: what changed since cannot be told from what it made`;

export interface RebootObstacles extends RunningWork {
  readonly strategy: 'known-good' | 'direct';
  /** What `verify` says of boot files, known-good and kernels. */
  readonly items: readonly VerifyItem[];
  /** The run whose commit noted no hashes; else null. */
  readonly committedWithoutHashes: string | null;
  /** The lost run whose trial runs now and is not the default; else null. */
  readonly unconfirmedTrialOf: string | null;
}

/** Items of `verify` that are no obstacle: for each kind of run, what it goes on with. */
const GOES_ON_WITH = {
  /** Known-good is one of two entries that have booted, and a lost reboot is what the next one goes on with. */
  reboot: ['boot.entry', 'boot.unfinished'],
  /** Only from the proven entry: a kernel that fails has to be told from one that was none before. */
  'upgrade-kernel': ['boot.unfinished'],
} as const satisfies Record<string, readonly string[]>;

/** @param besides Items that the run has an answer to. */
export function whyNotRebooted(
  found: RebootObstacles,
  run: keyof typeof GOES_ON_WITH = 'reboot',
  besides: readonly string[] = [],
): readonly string[] {
  const { strategy, items, committedWithoutHashes, unconfirmedTrialOf } = found;
  const known: readonly string[] = [...GOES_ON_WITH[run], ...besides];
  const drifted = items.filter(({ id, state }) => state !== 'ok' && !known.includes(id));
  return [
    ...(strategy === 'direct'
      ? [
          'boot.strategy is direct: there is no known-good entry, so that a reboot could not undo itself. Reboot it by hand, with somebody at the BMC console',
        ]
      : []),
    ...drifted.map(({ id, text, remedy }) => `${id}: ${text}. ${remedy}`),
    ...(committedWithoutHashes === null ? [] : [withoutHashes(committedWithoutHashes)]),
    ...(unconfirmedTrialOf === null
      ? []
      : [
          `the host runs a boot of run ${unconfirmedTrialOf} that was never committed: its dead-man brings it back to known-good, unless that run ended between confirming it and making it the default; systemctl reboot does the same. Start again then`,
        ]),
    ...workProblems(found),
  ];
}
