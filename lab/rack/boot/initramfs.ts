/**
 * `/init` of initramfs-tools 0.142, up to the mounted root: scripts in the order of the built image's ORDER, modules, the root disk.
 * Scripts that run after the mount are not played.
 * @module
 */
import { delay, forever } from '../machine/clock.js';
import type { Kernel } from '../machine/kernel.js';
import type { Machine } from '../machine/machine.js';
import { stage } from './stage.js';

const ROOT_WAIT_MS = 200;
/** Of what `/init` exports: scripts see it, and /conf/param.conf changes it. */
const FROM_COMMAND_LINE = { ROOT: 'root', panic: 'panic' } as const;
type Exported = Readonly<Record<keyof typeof FROM_COMMAND_LINE, string>>;

/** Returns when the root is found; whatever else becomes of this boot, it never does. */
export async function initramfs(machine: Machine, kernel: Kernel, signal: AbortSignal): Promise<void> {
  await new Init(machine, kernel, signal).run();
}

class Init {
  private exported: Exported = { ROOT: '', panic: '' };

  constructor(
    private readonly machine: Machine,
    private readonly kernel: Kernel,
    private readonly signal: AbortSignal,
  ) {}

  private get commandLine(): string {
    return this.kernel.parameters.commandLine;
  }

  async run(): Promise<void> {
    this.exported = { ROOT: this.parameter('ROOT'), panic: this.parameter('panic') };
    await this.scripts('init-top');
    this.loadModules();
    await this.scripts('init-premount');
    await this.scripts('local-top');
    await this.findRoot();
    await this.scripts('local-premount');
  }

  /** The last one counts. */
  private parameter(name: keyof Exported): string {
    const start = `${FROM_COMMAND_LINE[name]}=`;
    const word = this.commandLine.split(/\s+/).findLast((candidate) => candidate.startsWith(start));
    return word?.slice(start.length) ?? '';
  }

  private async scripts(directory: string): Promise<void> {
    const order = this.kernel.fileSystem(0).text(`/scripts/${directory}/ORDER`) ?? '';
    for (const name of scriptsIn(order)) {
      await stage(this.machine, `${directory}/${name}`, this.commandLine, this.signal);
      // The exit status is ignored, as run_scripts does.
      const { stdout, stderr } = await this.execute([`/scripts/${directory}/${name}`]);
      for (const line of `${stdout}${stderr}`.split('\n').filter((text) => text !== '')) this.machine.print(line);
      await this.sourceParameters();
    }
  }

  /** ORDER sources the file into `/init` itself after each script, so an `exit` there ends process 1. */
  private async sourceParameters(): Promise<void> {
    if (this.kernel.fileSystem(0).entry('/conf/param.conf') === undefined) return;
    const { exitCode, stdout } = await this.execute('. /conf/param.conf; printf "%s\\n" "$ROOT" "$panic"');
    if (exitCode !== 0) {
      this.machine.panic(`Attempted to kill init! exitcode=0x${(exitCode << 8).toString(16).padStart(8, '0')}`);
      await forever(this.signal);
    }
    const [ROOT = '', panic = ''] = stdout.split('\n').slice(-3);
    this.exported = { ROOT, panic };
  }

  private async execute(command: string | readonly string[]): Promise<{
    readonly stdout: string;
    readonly stderr: string;
    readonly exitCode: number;
  }> {
    const env = { ...this.exported, MODPROBE_OPTIONS: '-qb' };
    const end = await this.kernel.spawn({ command, uid: 0, cwd: '/', env }).done;
    // It may have ended the kernel, by /proc/sysrq-trigger.
    if (!this.kernel.alive) await forever(this.signal);
    return end;
  }

  /** With `modprobe -qb`: what is blacklisted is left out in silence. */
  private loadModules(): void {
    const fs = this.kernel.fileSystem(0);
    for (const line of (fs.text('/conf/modules') ?? '').split('\n').filter((text) => text.trim() !== '')) {
      const [module = ''] = line.trim().split(/\s+/);
      if (!this.kernel.isBlacklisted(module, fs)) this.kernel.loadModule(module, fs);
    }
  }

  private async findRoot(): Promise<void> {
    const { machine, kernel, signal } = this;
    const fault = machine.strike('boot', 'mount-root', this.commandLine);
    if (fault?.kind === 'hang') await forever(signal);
    const { ROOT } = this.exported;
    if (ROOT === '') return this.panic('No root device specified. Boot arguments must include a root= parameter.');
    const names = [`UUID=${machine.rootUuid}`, `/dev/disk/by-uuid/${machine.rootUuid}`, '/dev/nvme0n1p2'];
    if (fault === null && names.includes(ROOT) && kernel.modules.has('nvme')) return;
    machine.print('Begin: Waiting for root file system ...');
    await delay(machine.options.rootWaitMilliseconds ?? ROOT_WAIT_MS, signal);
    machine.print('Gave up waiting for root file system device.  Common problems:');
    return this.panic(`ALERT!  ${ROOT} does not exist.  Dropping to a shell!`);
  }

  /** `panic` of its functions is no kernel panic: `panic=` makes it reboot or halt, and without it a shell waits at the console. */
  private async panic(text: string): Promise<never> {
    const { machine, signal } = this;
    const seconds = this.exported.panic;
    machine.print(text);
    if (seconds === '') {
      await this.scripts('panic');
      machine.print('(initramfs) ');
      machine.enter('initramfs-shell');
      return forever(signal);
    }
    if (seconds === '0' || !/^-?[\d.]+$/.test(seconds)) {
      machine.print('Halting automatically due to panic= boot argument');
      machine.enter('halted');
      return forever(signal);
    }
    machine.print('Rebooting automatically due to panic= boot argument');
    if (!seconds.startsWith('-')) await machine.panicDelay(signal);
    machine.restart('forced-reboot');
    return forever(signal);
  }
}

function scriptsIn(order: string): readonly string[] {
  return [...order.matchAll(/^\/scripts\/[\w-]+\/(\S+)/gm)].map(([, name = '']) => name);
}
