/**
 * One virtual server: a disk of its own, power, reset, console. Its folder says how to reach it, so that a command line and a test may
 * come and go.
 * @module
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild } from '../tools/child.js';
import { freePort } from '../tools/free-port.js';
import { exists, type Workshop } from '../tools/workshop.js';
import { grubReads, truncateOnDisk } from './disk.js';
import { NEW_NVRAM, qemuArguments, type Hardware, type Wiring } from './hardware.js';
import type { BaseImage } from './image.js';
import { qmp } from './qmp.js';

export const HOST_NAME = 'h100-vm';
export const SERIAL = 'BOOTLAB1';
export const SSH_USER = 'ubuntu';

/** From starting QEMU to its monitor, on a busy machine. */
const MONITOR_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 100;

export interface SshAccess {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  /** Path of an OpenSSH private key. */
  readonly key: string;
  /** Path of a known_hosts file that holds exactly this host. */
  readonly knownHosts: string;
}

export type Power = 'on' | 'off';

/** `ours`: QEMU ends with this process, however that ends. `its-own`: it runs on. */
export type Lifetime = 'ours' | 'its-own';

/** What `machine.json` holds. */
interface Description extends Hardware {
  readonly port: number;
  readonly consolePort: number;
  readonly key: string;
  readonly hostKey: string;
  readonly rootOffset: number;
}

/** A running machine, kept as it was at one moment: any number of machines can go on from there. */
export interface Checkpoint {
  readonly folder: string;
  readonly base: BaseImage;
  readonly hardware: Hardware;
}

/** Files of a machine, below its folder. */
const FILES = {
  disk: 'disk.raw',
  nvram: 'nvram.fd',
  consoleLog: 'console.log',
  /** Memory and devices of a machine that goes on from a checkpoint, until it does. */
  memory: 'memory',
} as const;
const COPY_TIMEOUT_SECONDS = 120;

export class Machine {
  private constructor(
    readonly folder: string,
    readonly ssh: SshAccess,
    private readonly wiring: Wiring,
    private readonly base: BaseImage,
    private readonly lifetime: Lifetime,
  ) {}

  /** A new machine in this folder, switched off. The folder must not hold one already. */
  static async create(
    folder: string,
    base: BaseImage,
    workshop: Workshop,
    hardware: Hardware = { firmware: 'bios' },
    lifetime: Lifetime = 'its-own',
  ): Promise<Machine> {
    await mkdir(folder, { recursive: true });
    await copyDisk(workshop, base.disk, join(folder, FILES.disk));
    if (hardware.firmware === 'uefi') await copyFile(NEW_NVRAM, join(folder, FILES.nvram));
    return Machine.describe(folder, base, hardware, lifetime);
  }

  /** A new machine in this folder that, once switched on, goes on from the checkpoint. Its clock is that of the checkpoint. */
  static async from(
    { folder: kept, base, hardware }: Checkpoint,
    folder: string,
    workshop: Workshop,
    lifetime: Lifetime = 'its-own',
  ): Promise<Machine> {
    await mkdir(folder, { recursive: true });
    await copyDisk(workshop, join(kept, FILES.disk), join(folder, FILES.disk));
    for (const file of await readdir(kept))
      if (file !== FILES.disk) await copyFile(join(kept, file), join(folder, file));
    return Machine.describe(folder, base, hardware, lifetime);
  }

  private static async describe(
    folder: string,
    base: BaseImage,
    hardware: Hardware,
    lifetime: Lifetime,
  ): Promise<Machine> {
    const port = await freePort();
    const consolePort = await freePort();
    await writeFile(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${base.hostKey}\n`);
    const { clientKey: key, hostKey, rootOffset } = base;
    const description: Description = { ...hardware, port, consolePort, key, hostKey, rootOffset };
    await writeFile(join(folder, 'machine.json'), JSON.stringify(description));
    return Machine.open(folder, lifetime);
  }

  /** The machine of this folder, whether it runs or not. Throws when there is none. */
  static async open(folder: string, lifetime: Lifetime = 'its-own'): Promise<Machine> {
    const text = await readFile(join(folder, 'machine.json'), 'utf8').catch(() => {
      throw new Error(`no machine in ${folder}`);
    });
    const { port, consolePort, key, hostKey, rootOffset, ...hardware } = JSON.parse(text) as Description;
    const ssh = { host: '127.0.0.1', port, user: SSH_USER, key, knownHosts: join(folder, 'known_hosts') } as const;
    const wiring: Wiring = {
      ...hardware,
      serial: SERIAL,
      disk: join(folder, FILES.disk),
      nvram: join(folder, FILES.nvram),
      sshPort: port,
      qmp: join(folder, 'qmp.sock'),
      consolePort,
      consoleLog: join(folder, FILES.consoleLog),
    };
    const base = { disk: wiring.disk, clientKey: key, hostKey, rootOffset };
    return new Machine(folder, ssh, wiring, base, lifetime);
  }

  /** The serial console on 127.0.0.1; QEMU serves one client at a time. */
  get consolePort(): number {
    return this.wiring.consolePort;
  }

  get hardware(): Hardware {
    const { firmware, extra } = this.wiring;
    return extra === undefined ? { firmware } : { firmware, extra };
  }

  /** What the console said so far, over all boots. */
  async consoleText(): Promise<string> {
    return readFile(this.wiring.consoleLog, 'utf8').catch(() => '');
  }

  /** A file as GRUB would read it now; null when GRUB finds none. */
  grubReads(path: string): Promise<Buffer | null> {
    return grubReads(this.wiring.disk, path);
  }

  /** Leaves only the first bytes of a file. The machine must be off. */
  async truncateOnDisk(path: string, bytes: number): Promise<void> {
    if ((await this.power()) === 'on') throw new Error(`the machine is on: its kernel would not see ${path} change`);
    await truncateOnDisk(this.wiring.disk, this.base.rootOffset, path, bytes);
  }

  async power(): Promise<Power> {
    if (!(await exists(this.wiring.qmp))) return 'off';
    return qmp(this.wiring.qmp, 'query-status').then(
      () => 'on' as const,
      () => 'off' as const,
    );
  }

  /** Resolves when QEMU has begun to execute; the host needs most of a minute more. */
  async powerOn(): Promise<void> {
    if ((await this.power()) === 'on') return;
    await rm(this.wiring.qmp, { force: true });
    const memory = join(this.folder, FILES.memory);
    const goesOn = await exists(memory);
    const argv = [...qemuArguments(this.wiring), ...(goesOn ? ['-incoming', `exec:cat ${memory}`] : [])];
    const failed = this.lifetime === 'ours' ? this.startOurs(argv) : this.startDetached(argv);
    const up = async (): Promise<void> => {
      const end = Date.now() + MONITOR_TIMEOUT_MS;
      while ((await this.power()) === 'off') {
        if (Date.now() > end) throw new Error(`QEMU has no monitor after ${MONITOR_TIMEOUT_MS / 1000} s`);
        await delay(LOOK_EVERY_MS);
      }
    };
    try {
      await Promise.race([up(), failed]);
      if (goesOn) await Promise.race([this.goOn(memory), failed]);
    } finally {
      failed.catch(() => undefined);
    }
  }

  private async goOn(memory: string): Promise<void> {
    const status = async (): Promise<string> =>
      ((await qmp(this.wiring.qmp, 'query-status')) as { status: string }).status;
    while ((await status()) === 'inmigrate') await delay(LOOK_EVERY_MS);
    await qmp(this.wiring.qmp, 'cont');
    await rm(memory);
  }

  /** Keeps this machine, which must run, in an empty folder, and switches it off. */
  async checkpoint(folder: string, workshop: Workshop): Promise<Checkpoint> {
    const migration = async (): Promise<string> =>
      ((await qmp(this.wiring.qmp, 'query-migrate')) as { status: string }).status;
    await mkdir(folder, { recursive: true });
    await qmp(this.wiring.qmp, 'stop');
    await qmp(this.wiring.qmp, 'migrate', { uri: `exec:cat > ${join(folder, FILES.memory)}` });
    let state = await migration();
    while (state !== 'completed') {
      if (state === 'failed') throw new Error(`QEMU cannot write ${folder}/${FILES.memory}; see ${this.qemuLog}`);
      await delay(LOOK_EVERY_MS);
      state = await migration();
    }
    await this.powerOff();
    await copyDisk(workshop, this.wiring.disk, join(folder, FILES.disk));
    await copyFile(this.wiring.consoleLog, join(folder, FILES.consoleLog));
    if (this.hardware.firmware === 'uefi') await copyFile(this.wiring.nvram, join(folder, FILES.nvram));
    return { folder, base: this.base, hardware: this.hardware };
  }

  /** Rejects when QEMU ends. */
  private startOurs(argv: readonly string[]): Promise<never> {
    const child = startChild(['qemu-system-x86_64', ...argv], { logFile: this.qemuLog });
    return child.exited.then(({ code }) => {
      throw new Error(`QEMU ended with ${code}: ${child.output()}`);
    });
  }

  /** Rejects when QEMU ends. */
  private startDetached(argv: readonly string[]): Promise<never> {
    const log = openSync(this.qemuLog, 'a');
    const child = spawn('qemu-system-x86_64', argv, {
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    return new Promise((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`QEMU ended with ${code}; see ${this.qemuLog}`)));
    });
  }

  private get qemuLog(): string {
    return join(this.folder, 'qemu.log');
  }

  /** Cuts the power: nothing is flushed that the host had not flushed itself. */
  async powerOff(): Promise<void> {
    if ((await this.power()) === 'off') return;
    await qmp(this.wiring.qmp, 'quit');
    await this.untilOff();
  }

  async powerCycle(): Promise<void> {
    await this.powerOff();
    await this.powerOn();
  }

  /** The next time the host resets itself, the machine goes off instead, with everything on its disk that the host wrote. */
  async stayOffAtReset(): Promise<void> {
    await qmp(this.wiring.qmp, 'set-action', { reboot: 'shutdown' });
  }

  async untilOff(): Promise<void> {
    while ((await this.power()) === 'on') await delay(LOOK_EVERY_MS);
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await qmp(this.wiring.qmp, 'system_reset');
  }

  /** Power button, as ACPI tells the host. */
  async powerButton(): Promise<void> {
    await qmp(this.wiring.qmp, 'system_powerdown');
  }

  /** Switches it off and takes its disk away. */
  async destroy(): Promise<void> {
    await this.powerOff();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Raw and not an overlay, so that programs of the file system can look at it while the machine runs. Holes stay holes. */
async function copyDisk(workshop: Workshop, from: string, to: string): Promise<void> {
  await workshop.run(['cp', '--sparse=always', '--reflink=auto', from, to], { timeoutSeconds: COPY_TIMEOUT_SECONDS });
}
