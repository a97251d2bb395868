/**
 * One virtual server: a disk of its own over the base image, power, reset, console. QEMU runs on by itself, so that a command line and
 * a test may come and go; its folder says how to reach it.
 * @module
 */
import { spawn } from 'node:child_process';
import { access, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../tools/free-port.js';
import type { Workshop } from '../tools/workshop.js';
import { qemuArguments, type Wiring } from './hardware.js';
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

export class Machine {
  private constructor(
    readonly folder: string,
    readonly ssh: SshAccess,
    private readonly wiring: Wiring,
  ) {}

  /** A new machine in this folder, switched off. The folder must not hold one already. */
  static async create(folder: string, base: BaseImage, workshop: Workshop): Promise<Machine> {
    await mkdir(folder, { recursive: true });
    const port = await freePort();
    const disk = join(folder, 'disk.qcow2');
    await workshop.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base.disk, disk], {
      timeoutSeconds: 60,
    });
    await writeFile(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${base.hostKey}\n`);
    await writeFile(join(folder, 'machine.json'), JSON.stringify({ port, key: base.clientKey }));
    return Machine.open(folder);
  }

  /** The machine of this folder, whether it runs or not. Throws when there is none. */
  static async open(folder: string): Promise<Machine> {
    const text = await readFile(join(folder, 'machine.json'), 'utf8').catch(() => {
      throw new Error(`no machine in ${folder}`);
    });
    const { port, key } = JSON.parse(text) as { port: number; key: string };
    const ssh = { host: '127.0.0.1', port, user: SSH_USER, key, knownHosts: join(folder, 'known_hosts') } as const;
    return new Machine(folder, ssh, {
      serial: SERIAL,
      disk: join(folder, 'disk.qcow2'),
      sshPort: port,
      qmp: join(folder, 'qmp.sock'),
      console: join(folder, 'console.sock'),
      consoleLog: join(folder, 'console.log'),
    });
  }

  /** Unix socket of the serial console. */
  get consoleSocket(): string {
    return this.wiring.console;
  }

  /** What the console said so far. */
  async consoleText(): Promise<string> {
    return readFile(this.wiring.consoleLog, 'utf8').catch(() => '');
  }

  async power(): Promise<Power> {
    const there = await access(this.wiring.qmp).then(
      () => true,
      () => false,
    );
    if (!there) return 'off';
    return qmp(this.wiring.qmp, 'query-status').then(
      () => 'on' as const,
      () => 'off' as const,
    );
  }

  /** Resolves when QEMU has begun to execute; the host needs most of a minute more. */
  async powerOn(): Promise<void> {
    if ((await this.power()) === 'on') return;
    await Promise.all([this.wiring.qmp, this.wiring.console].map((path) => rm(path, { force: true })));
    const log = await open(join(this.folder, 'qemu.log'), 'a');
    const child = spawn('qemu-system-x86_64', qemuArguments(this.wiring), {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`QEMU ended with ${code}; see ${this.folder}/qemu.log`)));
    });
    const up = async (): Promise<void> => {
      const end = Date.now() + MONITOR_TIMEOUT_MS;
      while ((await this.power()) === 'off') {
        if (Date.now() > end) throw new Error(`QEMU has no monitor after ${MONITOR_TIMEOUT_MS / 1000} s`);
        await delay(LOOK_EVERY_MS);
      }
    };
    try {
      await Promise.race([up(), failed]);
    } finally {
      failed.catch(() => undefined);
      child.unref();
      await log.close();
    }
  }

  /** Cuts the power: nothing is flushed that the host had not flushed itself. */
  async powerOff(): Promise<void> {
    if ((await this.power()) === 'off') return;
    await qmp(this.wiring.qmp, 'quit');
    while ((await this.power()) === 'on') await delay(LOOK_EVERY_MS);
  }

  async powerCycle(): Promise<void> {
    await this.powerOff();
    await this.powerOn();
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
