/** The same expectations over IPMI and Redfish: the ladder of a reboot does not care which it is. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startBmc, type BmcFault, type BmcOptions, type SimulatedBmc } from '../../../lab/rack/bmc/index.js';
import { startIpmiSim, type IpmiSimOptions } from '../../../lab/rack/bmc/ipmi-sim.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import type { BmcSpec } from '../../domain/spec.js';
import type { Bmc } from '../../ports/bmc.js';
import { createBmcProvider, type BmcPacing } from './index.js';

const SERIAL = '5XKQ1P3';
const MODEL = 'GPU Server G593';
const CREDENTIALS = { user: 'admin', password: 'fi:ve5' };
/** Real enough to be waited for, short enough for a test. */
const PACING: BmcPacing = {
  answerLimitMs: 10_000,
  pollMs: 20,
  offLimitMs: 3_000,
  softOffLimitMs: 3_000,
  offPauseMs: 10,
  onLimitMs: 3_000,
};

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Misbehaviour {
  /** The power supply ignores every command. */
  readonly stuckPower?: boolean;
  /** The secret that the adapter reads. */
  readonly secret?: string;
  readonly pacing?: Partial<BmcPacing>;
}

/** A BMC as the adapter sees it, and the machine behind it as it really is. */
interface Subject {
  readonly bmc: Bmc;
  readonly power: () => Promise<'on' | 'off'>;
  readonly setPower: (power: 'on' | 'off') => Promise<void>;
  /** What happened to the machine, in order. */
  readonly history: () => Promise<readonly string[]>;
}

function adapterFor(bmc: BmcSpec, { secret, pacing }: Misbehaviour = {}, serial = SERIAL): Bmc {
  const text = secret ?? `${CREDENTIALS.user}:${CREDENTIALS.password}`;
  const secrets = { read: () => Promise.resolve(text) };
  const made = createBmcProvider({ secrets, pacing: { ...PACING, ...pacing } }).get(serverSpec({ serial, bmc }));
  if (made === null) throw new Error('bmc: none');
  return made;
}

/** A machine that does what its BMC says. */
class Machine {
  power: 'on' | 'off' = 'on';
  readonly history: string[] = [];

  constructor(private readonly stuck: boolean) {}

  readonly port = {
    state: (): 'on' | 'off' => this.power,
    on: () => this.become('on', 'on'),
    off: () => this.become('off', 'off'),
    cycle: () => this.become('on', 'cycle'),
    gracefulRestart: () => this.become('on', 'graceful-restart'),
  };

  private become(power: 'on' | 'off', event: string): void {
    this.history.push(event);
    if (!this.stuck) this.power = power;
  }
}

interface RedfishSubject extends Subject {
  readonly simulated: SimulatedBmc;
  readonly spec: Extract<BmcSpec, { kind: 'redfish' }>;
}

async function redfish(wrong: Misbehaviour = {}, options: Partial<BmcOptions> = {}): Promise<RedfishSubject> {
  const machine = new Machine(wrong.stuckPower ?? false);
  const identity = { serial: SERIAL, model: MODEL, credentials: CREDENTIALS };
  const simulated = await startBmc({ ...identity, power: machine.port, transitionMs: 30, ...options });
  cleanups.push(() => simulated.close());
  const { url, tlsFingerprint } = simulated;
  const spec = { kind: 'redfish', url, tlsFingerprint, credentials: 'env:BMC' } as const;
  return {
    bmc: adapterFor(spec, wrong),
    simulated,
    spec,
    power: () => Promise.resolve(machine.power),
    setPower: (power) => {
      machine.power = power;
      return Promise.resolve();
    },
    history: () => Promise.resolve(machine.history),
  };
}

async function ipmi(wrong: Misbehaviour = {}, options: Partial<IpmiSimOptions> = {}): Promise<Subject> {
  const identity = { serial: SERIAL, model: MODEL, credentials: CREDENTIALS };
  const sim = await startIpmiSim({ ...identity, stuckPower: wrong.stuckPower ?? false, ...options });
  cleanups.push(() => sim.close());
  const { port, cipherSuite } = sim;
  const NAMES: Readonly<Record<string, string>> = { 'power 0': 'off', 'power 1': 'on', 'shutdown 1': 'shutdown' };
  return {
    bmc: adapterFor({ kind: 'ipmi', host: '127.0.0.1', port, cipherSuite, credentials: 'env:BMC' }, wrong),
    power: () => sim.power(),
    setPower: (power) => sim.setPower(power),
    history: async () => (await sim.commands()).map((command) => NAMES[command] ?? command),
  };
}

interface Expected {
  readonly kind: Bmc['kind'];
  /** What a graceful restart does to the machine; IPMI has no command for it. */
  readonly graceful: readonly string[];
}

function conformance(start: (wrong?: Misbehaviour) => Promise<Subject>, { kind, graceful }: Expected): void {
  it('says who it is', async () => {
    const { bmc } = await start();
    expect(bmc.kind).toBe(kind);
    expect(await bmc.identity()).toEqual({ serial: SERIAL, model: MODEL });
  });

  it('sees the power as it is', async () => {
    const { bmc, setPower } = await start();
    expect(await bmc.powerState()).toBe('on');
    await setPower('off');
    expect(await bmc.powerState()).toBe('off');
  });

  it('cycles the power: off, seen off, on, seen on', async () => {
    const { bmc, power, history } = await start();
    await bmc.powerCycle();
    expect(await history()).toEqual(['off', 'on']);
    expect(await power()).toBe('on');
  });

  it('only turns on what was off already', async () => {
    const { bmc, power, setPower, history } = await start();
    await setPower('off');
    await bmc.powerCycle();
    expect(await history()).toEqual(['on']);
    expect(await power()).toBe('on');
  });

  it('turns on what is off, and does nothing to what is on', async () => {
    const { bmc, power, setPower, history } = await start();
    await bmc.powerOn();
    expect(await history()).toEqual([]);
    await setPower('off');
    await bmc.powerOn();
    await bmc.powerOn();
    expect(await history()).toEqual(['on']);
    expect(await power()).toBe('on');
  });

  it('asks the operating system to restart', async () => {
    const { bmc, power, history } = await start();
    await bmc.gracefulRestart();
    await expect.poll(history).toEqual(graceful);
    expect(await power()).toBe('on');
  });

  it('reads the event log after something happened', async () => {
    const { bmc } = await start();
    await bmc.powerCycle();
    const log = await bmc.eventLog();
    expect(log.length).toBeGreaterThan(0);
    expect(log.join('\n')).toMatch(/power/i);
  });

  it('says that the power did not go off when it does not', async () => {
    const { bmc, power } = await start({ stuckPower: true, pacing: { offLimitMs: 100 } });
    await expect(bmc.powerCycle()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringMatching(/BMC of h100-01 .*did not go off within 0.1 s/),
    });
    expect(await power()).toBe('on');
  });

  it('does nothing when cancelled before it began', async () => {
    const { bmc, history } = await start();
    const reason = new Error('cancelled');
    const signal = AbortSignal.abort(reason);
    for (const method of ['powerCycle', 'powerOn', 'gracefulRestart', 'powerState', 'identity', 'eventLog'] as const) {
      await expect(bmc[method](signal)).rejects.toBe(reason);
    }
    expect(await history()).toEqual([]);
  });

  it('turns the host on again when cancelled while it is off', async () => {
    const { bmc, power, history } = await start({ pacing: { offPauseMs: 300 } });
    const cancel = new AbortController();
    const cycling = bmc.powerCycle(cancel.signal);
    await expect.poll(power).toBe('off');
    cancel.abort(new Error('cancelled'));
    await cycling;
    expect(await history()).toEqual(['off', 'on']);
    expect(await power()).toBe('on');
  });

  it('reports refused credentials without showing them', async () => {
    const { bmc } = await start({ secret: 'admin:swordfish' });
    const error: unknown = await bmc.powerState().catch((e: unknown) => e);
    expect(error).toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringMatching(/credentials|user or password/),
    });
    const { message, details, cause } = error as Error & { details: unknown };
    expect(JSON.stringify([message, details, String(cause)])).not.toContain('swordfish');
  });

  it.each(['swordfish', ':swordfish', 'swordfish:'])('refuses a secret of another form', async (secret) => {
    const { bmc } = await start({ secret });
    const error: unknown = await bmc.powerState().catch((e: unknown) => e);
    expect(error).toMatchObject({ type: 'SecretUnreadable', message: expect.stringContaining('user:password') });
    expect(String(error)).not.toContain('swordfish');
  });
}

describe('Redfish, allowed resets in the system', () => {
  conformance(redfish, { kind: 'redfish', graceful: ['graceful-restart'] });
});
describe('Redfish, allowed resets in ActionInfo', () => {
  conformance((wrong) => redfish(wrong, { resetTypesAre: 'in-action-info' }), {
    kind: 'redfish',
    graceful: ['graceful-restart'],
  });
});
describeWith('IPMI with ipmitool against ipmi_sim', ['ipmitool', 'ipmi_sim'], 'ipmitool openipmi', () => {
  conformance(ipmi, { kind: 'ipmi', graceful: ['shutdown', 'on'] });

  it('says that the operating system ignores the shutdown', async () => {
    const { bmc } = await ipmi({ pacing: { softOffLimitMs: 100 } }, { ignoresSoftShutdown: true });
    await expect(bmc.gracefulRestart()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining('chassis power soft, then on: the power did not go off within 0.1 s'),
    });
  });

  it('has an empty event log where there is none, and only the newest of many', async () => {
    expect(await (await ipmi({}, { events: 0 })).bmc.eventLog()).toEqual([]);
    const log = await (await ipmi({}, { events: 30 })).bmc.eventLog();
    expect(log).toHaveLength(20);
    expect(log.at(-1)).toMatch(/^1e \|/);
  });

  it('names what to check when nobody answers', async () => {
    const nobody = { kind: 'ipmi', host: '127.0.0.1', port: 9, cipherSuite: 17, credentials: 'env:BMC' } as const;
    await expect(adapterFor(nobody, { pacing: { answerLimitMs: 300 } }).powerState()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringMatching(/ipmi 127\.0\.0\.1:9.*ipmitool -C 17 chassis power status/),
    });
  });
});

describe('ipmitool', () => {
  const withPath = async (path: string, body: () => Promise<void>): Promise<void> => {
    const before = process.env['PATH'];
    process.env['PATH'] = path;
    try {
      await body();
    } finally {
      process.env['PATH'] = before;
    }
  };
  const spec = { kind: 'ipmi', host: '192.0.2.1', port: 6230, cipherSuite: 17, credentials: 'env:BMC' } as const;
  const installed = (script: string): string => {
    const directory = mkdtempSync(join(tmpdir(), 'ipmitool-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'ipmitool'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return directory;
  };

  it('that is not installed is what the error says', async () => {
    await withPath('/nonexistent', async () => {
      await expect(adapterFor(spec).powerState()).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringContaining('install ipmitool'),
      });
    });
  });

  it('gets the password in its environment and never as an argument', async () => {
    const directory = installed(
      'echo "$@" > "${0%/*}/argv"; echo "$IPMI_PASSWORD" > "${0%/*}/password"; echo Chassis Power is on',
    );
    await withPath(directory, async () => {
      expect(await adapterFor(spec).powerState()).toBe('on');
    });
    expect(readFileSync(join(directory, 'argv'), 'utf8')).toBe(
      '-I lanplus -H 192.0.2.1 -p 6230 -C 17 -U admin -E -N 2 -R 3 chassis power status\n',
    );
    expect(readFileSync(join(directory, 'password'), 'utf8')).toBe('fi:ve5\n');
  });

  it.each(['Chassis Power is maybe', '', 'garbage\nChassis Power is on and off'])(
    'whose answer is "%s" is not understood, and nothing is assumed',
    async (answer) => {
      await withPath(installed(`echo '${answer}'`), async () => {
        await expect(adapterFor(spec).powerState()).rejects.toMatchObject({
          type: 'BmcUnavailable',
          message: expect.stringContaining('unexpected answer'),
        });
      });
    },
  );

  it('that hangs is ended at the limit, and when the signal aborts', async () => {
    await withPath(installed('exec /bin/sleep 600'), async () => {
      await expect(adapterFor(spec, { pacing: { answerLimitMs: 100 } }).powerState()).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringContaining('no answer within 0.1 s'),
      });
      const reason = new Error('cancelled');
      const cancel = new AbortController();
      const asking = adapterFor(spec).powerState(cancel.signal);
      setImmediate(() => cancel.abort(reason));
      await expect(asking).rejects.toBe(reason);
    });
  });

  const read = (hear: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<void> =>
    adapterFor(spec).console!.read(hear, signal);

  it('reads a console with the end of its input as the only key, and the password in its environment', async () => {
    const directory = installed(`
      echo "$@" > "\${0%/*}/argv"; echo "$IPMI_PASSWORD" > "\${0%/*}/password"
      echo 'tcgetattr: Inappropriate ioctl for device' >&2
      printf '[SOL Session operational.  Use ~? for help]\\n[SOL Session operational.]\\nlogin: '
      cat > "\${0%/*}/typed"; echo given back > "\${0%/*}/end"`);
    let heard = '';
    const stop = new AbortController();
    await withPath(`${directory}:${process.env['PATH']}`, async () => {
      const reading = read((bytes) => (heard += String(Buffer.from(bytes))), stop.signal);
      // Only its own first line is left out.
      await expect.poll(() => heard).toBe('[SOL Session operational.]\nlogin: ');
      stop.abort();
      await reading;
    });
    const written = ['argv', 'password', 'typed', 'end'].map((name) => readFileSync(join(directory, name), 'utf8'));
    expect(written).toEqual([
      '-I lanplus -H 192.0.2.1 -p 6230 -C 17 -U admin -E -N 2 -R 3 sol activate\n',
      `${CREDENTIALS.password}\n`,
      '',
      'given back\n',
    ]);
  });

  it.each([
    ['is off', "echo 'Info: SOL payload disabled' >&2; exit 1", 'sol activate: Info: SOL payload disabled'],
    ['is closed by the BMC', "echo 'SOL session closed by BMC' >&2; exit 1", 'sol activate: SOL session closed by BMC'],
    ['ends', 'exit 0', 'sol activate: the session ended by itself'],
    ['ends by a signal', 'kill -9 $$', 'sol activate: exit code SIGKILL'],
  ])('says why it reads no console: it %s', async (_, script, why) => {
    await withPath(installed(`echo 'tcgetattr: Inappropriate ioctl for device' >&2; ${script}`), async () => {
      const error: unknown = await read(() => undefined, new AbortController().signal).catch((e: unknown) => e);
      expect(error).toMatchObject({ type: 'BmcUnavailable' });
      expect(String(error)).toMatch(new RegExp(`${why}$`));
    });
  });

  it('that is not installed reads no console, and says so', async () => {
    await withPath('/nonexistent', async () => {
      const reading = read(() => undefined, new AbortController().signal);
      await expect(reading).rejects.toMatchObject({ message: expect.stringContaining('install ipmitool') });
    });
  });

  it('takes no console that nobody wants any more', async () => {
    const directory = installed('echo > "${0%/*}/called"');
    await withPath(directory, async () => {
      await read(() => undefined, AbortSignal.abort());
      expect(existsSync(join(directory, 'called'))).toBe(false);
    });
  });

  it.each([
    ['true', true],
    ['false', false],
  ])('tells whether serial-over-LAN is enabled: %s', async (word, isOn) => {
    const info = `Set in progress                 : set-complete\nEnabled                         : ${word}`;
    await withPath(installed(`echo '${info}'`), async () => {
      expect(await adapterFor(spec).console?.isOn()).toBe(isOn);
    });
  });

  it('whose answer about serial-over-LAN is another one is not understood', async () => {
    await withPath(installed('echo Enabled: perhaps'), async () => {
      await expect(adapterFor(spec).console?.isOn()).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringContaining('ipmitool sol info: unexpected answer: Enabled: perhaps'),
      });
    });
  });

  it('whose BMC declines a command is reported with its words', async () => {
    const refuses = `case "$*" in *status) echo Chassis Power is on ;;
      *) echo 'Set Chassis Power Control to Down/Off failed: Insufficient privilege level' >&2; exit 1 ;; esac`;
    await withPath(installed(refuses), async () => {
      await expect(adapterFor(spec).powerCycle()).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringContaining('Insufficient privilege level'),
      });
    });
  });
});

describe('Redfish', () => {
  it('has no console to read', async () => {
    expect((await redfish()).bmc.console).toBeNull();
  });

  it('never leaves a session behind', async () => {
    const { bmc, simulated } = await redfish();
    // More calls than the BMC has sessions.
    for (let call = 0; call < 10; call++) await bmc.powerState();
    await bmc.powerCycle();
    // Cancelled at every stage of a call.
    for (let ms = 0; ms < 20; ms++) await bmc.powerState(AbortSignal.timeout(ms)).catch(() => null);
    expect(simulated.openSessions()).toBe(0);
  });

  it('uses basic authentication when the BMC has no session left', async () => {
    const { bmc } = await redfish({}, { faults: [{ effect: 'sessions-exhausted' }] });
    expect(await bmc.powerState()).toBe('on');
  });

  it('sends nothing to a BMC with another certificate, and says both fingerprints', async () => {
    const { spec, simulated } = await redfish();
    const pinned = `sha256:${'0'.repeat(64)}`;
    const error: unknown = await adapterFor({ ...spec, tlsFingerprint: pinned })
      .powerState()
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ type: 'BmcUnavailable' });
    expect(String(error)).toContain(pinned);
    expect(String(error)).toContain(simulated.tlsFingerprint);
  });

  it('trusts no self-signed certificate without a pin', async () => {
    const { spec } = await redfish();
    await expect(adapterFor({ ...spec, tlsFingerprint: null }).powerState()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining('self-signed certificate'),
    });
  });

  it('sends no password over plain HTTP', async () => {
    const { spec } = await redfish();
    await expect(adapterFor({ ...spec, url: spec.url.replace('https', 'http') }).powerState()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining('must begin with https://'),
    });
  });

  it('touches no system but the one with the serial of the inventory', async () => {
    const { spec, history } = await redfish();
    const stranger = adapterFor(spec, {}, 'ANOTHER');
    for (const method of ['powerCycle', 'powerOn', 'gracefulRestart', 'powerState'] as const) {
      await expect(stranger[method]()).rejects.toMatchObject({
        type: 'BmcUnavailable',
        message: expect.stringMatching(
          /serial ANOTHER.*HGX_Baseboard_0 \(serial 1324623012345\).*System_0 \(serial 5XKQ1P3\)/,
        ),
      });
    }
    expect(await history()).toEqual([]);
    // Two systems can be reset, so which of them is the host cannot be told.
    expect(await stranger.identity()).toEqual({ serial: null, model: null });
  });

  it.each<[string, BmcOptions['resetTypes'], readonly string[]]>([
    ['PowerCycle where off and on are not offered', ['PowerCycle', 'ForceRestart', 'GracefulRestart'], ['PowerCycle']],
    ['ForceRestart as the last resort', ['ForceRestart', 'ForceOff'], ['ForceRestart']],
  ])('uses %s', async (_what, resetTypes, resets) => {
    const { bmc, simulated } = await redfish({}, resetTypes ? { resetTypes } : {});
    await bmc.powerCycle();
    await expect.poll(() => simulated.resets).toEqual(resets);
  });

  it('says what is allowed when nothing fits', async () => {
    const { bmc } = await redfish({}, { resetTypes: ['On', 'ForceOff'] });
    await expect(bmc.gracefulRestart()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining('reset by GracefulRestart, GracefulShutdown+On: it allows On, ForceOff'),
    });
  });

  it('tries the next way when one is declined, and tells all when all are', async () => {
    const firstTime: BmcFault = { effect: 'power-cycle-refused', times: 1 };
    const second = await redfish({}, { faults: [firstTime] });
    await second.bmc.powerCycle();
    expect(second.simulated.resets).toEqual(['PowerCycle']);

    const none = await redfish({}, { faults: [{ effect: 'power-cycle-refused' }] });
    const error: unknown = await none.bmc.powerCycle().catch((e: unknown) => e);
    expect(error).toMatchObject({ type: 'BmcUnavailable' });
    for (const tried of ['ForceOff+On: HTTP 403', 'PowerCycle: HTTP 403', 'ForceRestart: HTTP 403 the privilege']) {
      expect(String(error)).toContain(tried);
    }
    expect(none.simulated.resets).toEqual([]);
  });

  it('does not believe a BMC that accepts a reset and does nothing', async () => {
    const { bmc, history } = await redfish({ pacing: { offLimitMs: 100 } }, { faults: [{ effect: 'reset-ignored' }] });
    await expect(bmc.powerCycle()).rejects.toMatchObject({ type: 'BmcUnavailable' });
    expect(await history()).toEqual([]);
  });

  it('gives up on a BMC that takes the connection and stays silent', async () => {
    const { bmc } = await redfish({ pacing: { answerLimitMs: 200 } }, { faults: [{ effect: 'no-answer' }] });
    await expect(bmc.powerState()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining('GET /redfish/v1/: no answer within 0.2 s'),
    });
  });

  it('gives up on a port that takes the connection and speaks no TLS', async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanups.push(() => void silent.close());
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const spec = { kind: 'redfish', url, tlsFingerprint: null, credentials: 'env:BMC' } as const;
    await expect(adapterFor(spec, { pacing: { answerLimitMs: 200 } }).powerState()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining('no answer within 0.2 s'),
    });
    const cancel = new AbortController();
    const asking = adapterFor(spec).powerState(cancel.signal);
    const reason = new Error('cancelled');
    silent.once('connection', () => cancel.abort(reason));
    await expect(asking).rejects.toBe(reason);
  });

  it('says when nothing listens at the address', async () => {
    const { spec, simulated, bmc } = await redfish();
    cleanups.pop();
    await simulated.close();
    await expect(bmc.powerState()).rejects.toMatchObject({
      type: 'BmcUnavailable',
      message: expect.stringContaining(`${spec.url}): GET /redfish/v1/: connect ECONNREFUSED`),
    });
  });

  it('hands the newest lines of the event log over, newest last', async () => {
    const { bmc } = await redfish();
    for (let cycle = 0; cycle < 2; cycle++) await bmc.powerCycle();
    const log = await bmc.eventLog();
    expect(log.map((line) => line.split(' ').at(-1))).toEqual(['ForceOff', 'On', 'ForceOff', 'On']);
    expect(log).toEqual(log.toSorted());
  });
});
