/** The project's own adapters against both BMCs of the boot lab; behind them a machine that is only its power and its console. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { createBmcProvider, type BmcPacing } from '../../../src/adapters/bmc/index.js';
import type { BmcSpec } from '../../../src/domain/spec.js';
import type { Bmc } from '../../../src/ports/bmc.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { describeUnless, describeWith } from '../../../test/support/skip-unless.js';
import { thisMachine } from '../../tools/workshop.js';
import { startIpmiBmc } from './ipmi.js';
import { startRedfishBmc } from './redfish.js';
import { sushyPython } from './sushy-tools.js';
import { FakeMachine, TRANSITION_MS } from './testing/fake-machine.js';
import { commandOf, descendants } from './testing/processes.js';

const SERIAL = 'BOOTLAB1';
const MODEL = 'q35';
const CREDENTIALS = { user: 'admin', password: 'fi:ve5' };
const IDENTITY = { serial: SERIAL, model: MODEL, credentials: CREDENTIALS };
/** Patient where a loaded machine is slow; pauses as short as a test wants them. */
const PACING: BmcPacing = {
  answerLimitMs: 10_000,
  pollMs: 50,
  offLimitMs: 10_000,
  softOffLimitMs: 10_000,
  offPauseMs: 10,
  onLimitMs: 10_000,
};

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const SECRET = `${CREDENTIALS.user}:${CREDENTIALS.password}`;

function adapterFor(bmc: BmcSpec, secret = SECRET): Bmc {
  const secrets = { read: () => Promise.resolve(secret) };
  const made = createBmcProvider({ secrets, pacing: PACING }).get(serverSpec({ serial: SERIAL, bmc }));
  if (made === null) throw new Error('bmc: none');
  return made;
}

interface Subject {
  readonly machine: FakeMachine;
  readonly spec: BmcSpec;
  readonly bmc: Bmc;
  readonly close: () => Promise<void>;
}

/** With cleanup, for tests that don't close it themselves. */
function subject(machine: FakeMachine, spec: BmcSpec, bmc: { close(): Promise<void> }): Subject {
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= bmc.close());
  cleanups.push(close);
  return { machine, spec, bmc: adapterFor(spec), close };
}

async function ipmi(): Promise<Subject> {
  const machine = await FakeMachine.create();
  cleanups.push(() => machine.destroy());
  const started = await startIpmiBmc(machine, IDENTITY);
  return subject(machine, { ...started.spec, credentials: 'env:BMC' }, started);
}

async function redfish(): Promise<Subject> {
  const machine = await FakeMachine.create();
  cleanups.push(() => machine.destroy());
  const started = await startRedfishBmc(machine, IDENTITY, thisMachine());
  return subject(machine, { ...started.spec, credentials: 'env:BMC' }, started);
}

function conformance(start: () => Promise<Subject>): void {
  it('says who it is', async () => {
    const { bmc } = await start();
    expect(await bmc.identity()).toEqual({ serial: SERIAL, model: MODEL });
  });

  it('sees the power as it is, whoever changed it', async () => {
    const { bmc, machine } = await start();
    expect(await bmc.powerState()).toBe('on');
    machine.state = 'off';
    expect(await bmc.powerState()).toBe('off');
    machine.state = 'on';
    expect(await bmc.powerState()).toBe('on');
  });

  it('cycles the power: off, then on', async () => {
    const { bmc, machine } = await start();
    await bmc.powerCycle();
    expect(machine.history).toEqual(['off', 'on']);
    expect(machine.state).toBe('on');
  });

  it('presses the power button for a graceful restart, and turns on what went off', async () => {
    const { bmc, machine } = await start();
    await bmc.gracefulRestart();
    await expect.poll(() => machine.history, { timeout: 5_000 }).toEqual(['button', 'on']);
    expect(machine.state).toBe('on');
  });

  it('leaves nothing running and the machine as it was', async () => {
    const before = await descendants();
    const { bmc, machine, close } = await start();
    await bmc.powerState();
    const started = (await descendants()).filter((pid) => !before.includes(pid));
    expect(started.length).toBeGreaterThan(0);
    await close();
    await expect.poll(async () => (await descendants()).filter((pid) => started.includes(pid))).toEqual([]);
    expect(await Promise.all(started.map(commandOf))).toEqual(started.map(() => ''));
    expect(machine).toMatchObject({ state: 'on', history: [] });
  });
}

describeWith(
  'IPMI for a machine of the boot lab',
  ['ipmitool', 'ipmi_sim', 'perl', 'script'],
  'ipmitool openipmi perl-base bsdutils',
  () => {
    conformance(ipmi);

    it('has a power cycle and a reset of its own', async () => {
      const { machine, spec } = await ipmi();
      await ipmitool(spec, ['chassis', 'power', 'reset']).ended;
      await expect.poll(() => machine.history).toEqual(['reset']);
      await ipmitool(spec, ['chassis', 'power', 'cycle']).ended;
      await expect.poll(() => machine.history, { timeout: 5_000 }).toEqual(['reset', 'off', 'on']);
    });

    it('refuses what the machine cannot do', async () => {
      const { spec } = await ipmi();
      const asked = ipmitool(spec, ['chassis', 'bootdev', 'pxe']);
      await asked.ended;
      expect(asked.output()).toContain('Set Chassis Boot Parameter 5 failed');
    });

    it('shows the console over LAN and types into it, also after a power cycle', async () => {
      const { bmc, machine, spec } = await ipmi();
      const session = ipmitool(spec, ['sol', 'activate']);
      await expect.poll(session.output, { timeout: 10_000 }).toContain('SOL Session operational');
      machine.say('h100-vm login: ');
      await expect.poll(session.output, { timeout: 5_000 }).toContain('h100-vm login: ');
      session.type('hello\r');
      await expect.poll(session.output, { timeout: 5_000 }).toContain('HELLO');
      await bmc.powerCycle();
      await expect
        .poll(() => (machine.say('GNU GRUB\r\n'), session.output()), { timeout: 5_000 })
        .toContain('GNU GRUB');
      session.type('\r~.');
      await session.ended;
    });

    it('has its console read, also over a power cycle, without a key being typed, and back afterwards', async () => {
      const { bmc, machine, spec } = await ipmi();
      expect(await bmc.console?.isOn()).toBe(true);
      const reader = readConsole(bmc);
      await reader.hears(machine, 'h100-vm login: ');
      await bmc.powerCycle();
      await reader.hears(machine, '\u001b[8;5HGNU GRUB\r\n');
      await reader.stop();
      await expect(reader.end).resolves.toBeUndefined();
      // What was typed would have come back in capitals; what ipmitool says of itself is no word of the host.
      expect(reader.heard().replaceAll('h100-vm login: ', '').replaceAll('\u001b[8;5HGNU GRUB\r\n', '')).toBe('');
      const person = ipmitool(spec, ['sol', 'activate']);
      await expect.poll(person.output, { timeout: 10_000 }).toContain('SOL Session operational');
    });

    it('is not read while somebody looks at it, who is left alone', async () => {
      const { bmc, machine, spec } = await ipmi();
      const person = ipmitool(spec, ['sol', 'activate']);
      await expect.poll(person.output, { timeout: 10_000 }).toContain('SOL Session operational');
      const reader = readConsole(bmc);
      await expect(reader.end).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringMatching(/sol activate: Info: SOL payload already active on another session$/),
      });
      await expect.poll(() => (machine.say('still here'), person.output()), { timeout: 5_000 }).toContain('still here');
    });
  },
);

const noVenv = spawnSync('python3', ['-c', 'import ensurepip, venv']).status !== 0;
describeUnless(
  noVenv && 'python3 cannot make virtual environments: apt install python3-venv',
  'Redfish for a machine of the boot lab',
  () => {
    // Installs it, where it is not in the cache.
    beforeAll(() => sushyPython(thisMachine()), 6 * 60_000);

    conformance(redfish);

    it('has a reset, and no interrupt', async () => {
      const { machine, spec } = await redfish();
      expect(await reset(spec, 'ForceRestart')).toBe(204);
      await expect.poll(() => machine.history).toEqual(['reset']);
      expect(await reset(spec, 'Nmi')).toBe(501);
    });

    it('gives a graceful restart up for the next command', async () => {
      const { machine, spec } = await redfish();
      expect(await reset(spec, 'GracefulRestart')).toBe(204);
      await expect.poll(() => machine.history).toEqual(['button']);
      expect(await reset(spec, 'ForceOff')).toBe(204);
      await expect.poll(() => machine.state).toBe('off');
      // Twice the time in which a restart would look.
      await delay(2 * TRANSITION_MS);
      expect(machine.state).toBe('off');
      expect(machine.history).not.toContain('on');
    });

    it('refuses another password', async () => {
      const { spec } = await redfish();
      expect(await reset(spec, 'ForceOff', 'admin:swordfish')).toBe(401);
      await expect(adapterFor(spec, 'admin:swordfish').powerState()).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringContaining('refuses the credentials'),
      });
    });
  },
);

interface Reader {
  /** As `read` ends. */
  readonly end: Promise<void>;
  readonly heard: () => string;
  /** Says it until it is heard: a serial line keeps nothing for those who come later. */
  readonly hears: (machine: FakeMachine, words: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

function readConsole({ console }: Bmc): Reader {
  if (console === null) throw new Error('this BMC has no console');
  const stop = new AbortController();
  let heard = '';
  const end = console.read((bytes) => (heard += String(Buffer.from(bytes))), stop.signal);
  const settled = end.catch(() => undefined);
  const close = async (): Promise<void> => {
    stop.abort();
    await settled;
  };
  cleanups.push(close);
  return {
    end,
    heard: () => heard,
    hears: (machine, words) =>
      expect.poll(() => (machine.say(words), heard), { timeout: 10_000, interval: 200 }).toContain(words),
    stop: close,
  };
}

interface Session {
  readonly ended: Promise<{ readonly code: number | null }>;
  readonly output: () => string;
  readonly type: (keys: string) => void;
}

function ipmitool(spec: BmcSpec, args: readonly string[]): Session {
  if (spec.kind !== 'ipmi') throw new Error('not IPMI');
  // prettier-ignore
  const argv = ['ipmitool', '-I', 'lanplus', '-H', spec.host, '-p', String(spec.port), '-C', '3', '-U', CREDENTIALS.user, '-E', ...args];
  // As a person has it: with a terminal.
  const child = spawn('script', ['--quiet', '--return', '--command', argv.join(' '), '/dev/null'], {
    env: { ...process.env, IPMI_PASSWORD: CREDENTIALS.password },
  });
  cleanups.push(async () => void child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)));
  return {
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null })),
    output: () => said,
    type: (keys) => void child.stdin.write(keys),
  };
}

/** The HTTP status of a reset of the only system. */
async function reset(spec: BmcSpec, type: string, secret = SECRET): Promise<number> {
  if (spec.kind !== 'redfish') throw new Error('not Redfish');
  const options = { auth: secret, rejectUnauthorized: false, headers: { 'Content-Type': 'application/json' } };
  const send = async (method: string, path: string, body = ''): Promise<{ status: number; text: string }> => {
    const asked = request(new URL(path, spec.url), { ...options, method }).end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, text: await text(response) };
  };
  const systems = await send('GET', '/redfish/v1/Systems');
  if (systems.status !== 200) return systems.status;
  const path = (JSON.parse(systems.text) as { Members: { '@odata.id': string }[] }).Members[0]?.['@odata.id'];
  return (await send('POST', `${path}/Actions/ComputerSystem.Reset`, JSON.stringify({ ResetType: type }))).status;
}
