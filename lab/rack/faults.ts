/**
 * Faults are rules in one table: where, what, how often. The machine asks at each point; nothing random, so a run repeats.
 * @module
 */

/** Where a rule is asked. The subject it is matched against stands behind the dash. */
export type FaultPoint =
  /** a program is called - its command line */
  | 'program'
  /** a command arrives over SSH - the command line as sent */
  | 'ssh'
  /** bytes come over SSH for a forwarded connection - `ADDRESS:PORT` */
  | 'forward'
  /** a stage of the boot is entered - `firmware`, `grub`, `kernel`, `init-top/NAME`, `mount-root`, `sshd`, `network` */
  | 'boot'
  /** GRUB writes its environment - the path of the block */
  | 'grub-save-env'
  /** a driver is about to get a device - `ADDRESS DRIVER` */
  | 'pci-bind'
  /** the host is asked to reboot - `systemctl`, `dead-man`, … the command line */
  | 'reboot'
  /** sshd starts - the boot id */
  | 'host-key';

export type FaultEffect =
  /** `program`: exit code and stderr, instead of its effect or after it. */
  | { readonly kind: 'fail'; readonly exitCode?: number; readonly stderr?: string; readonly when?: 'before' | 'after' }
  /** Never goes on: a program until it is killed, a boot stage or a shutdown (`reboot`) until the power is cut. */
  | { readonly kind: 'hang' }
  /** `ssh`, `forward`: the connection breaks. Before: the command never runs. During: it runs on. After: its result is lost. */
  | { readonly kind: 'drop-link'; readonly when: 'before' | 'during' | 'after' }
  /** The power fails, and stays away until somebody turns it on; `restoreAfterMs` is the end of the outage. */
  | { readonly kind: 'power-cut'; readonly when?: 'before' | 'after'; readonly restoreAfterMs?: number }
  /** `boot`: kernel panic. */
  | { readonly kind: 'panic'; readonly text?: string }
  /** `grub-save-env`: the disk can't be written; `boot` network: nothing answers; `reboot`: accepted and ignored; `pci-bind`: the driver doesn't get it. */
  | { readonly kind: 'refuse' }
  /** `pci-bind`: the native driver takes it even though an override names another. */
  | { readonly kind: 'native-wins' }
  /** `host-key`: another key from now on. */
  | { readonly kind: 'new-host-key' }
  /** Goes on after so long. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** `program`, `ssh`, `boot`: asked at that moment, and goes on when it resolves. After, over `ssh`: the command has ended and its answer waits. */
  | { readonly kind: 'hold'; readonly when?: 'before' | 'after'; readonly at: () => Promise<void> };

export interface FaultRule {
  /** Every host when absent. */
  readonly host?: string;
  readonly at: FaultPoint;
  /** A string must occur in the subject. Absent: always. */
  readonly match?: string | RegExp;
  /** The same for the kernel command line of the boot it happens in. */
  readonly boot?: string | RegExp;
  readonly effect: FaultEffect;
  /** How often it strikes, default once. */
  readonly times?: number;
  /** Matches to let pass first. */
  readonly skip?: number;
}

export class FaultTable {
  private readonly rules: { readonly rule: FaultRule; left: number; skip: number }[] = [];
  private readonly struckRules: FaultRule[] = [];

  add(rule: FaultRule): void {
    this.rules.push({ rule, left: rule.times ?? 1, skip: rule.skip ?? 0 });
  }

  clear(): void {
    this.rules.length = 0;
  }

  /** Rules that struck, in order: a test can see that its fault happened. */
  get struck(): readonly FaultRule[] {
    return this.struckRules;
  }

  /** The first effect that applies, which is used up by this. */
  strike(host: string, at: FaultPoint, subject: string, commandLine: string): FaultEffect | null {
    for (const entry of this.rules) {
      const { rule } = entry;
      if (entry.left <= 0 || rule.at !== at || (rule.host !== undefined && rule.host !== host)) continue;
      if (!matches(rule.match, subject) || !matches(rule.boot, commandLine)) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.left -= 1;
      this.struckRules.push(rule);
      return rule.effect;
    }
    return null;
  }
}

function matches(pattern: string | RegExp | undefined, text: string): boolean {
  if (pattern === undefined) return true;
  return typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
}
