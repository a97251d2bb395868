/**
 * uname, dmidecode, dmesg.
 * @module
 */
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';

const uname: Program = (call) => {
  const { flags } = parseArgs(call.args);
  const { release } = call.kernel.parameters;
  const parts: Readonly<Record<string, string>> = {
    '-s': 'Linux',
    '-n': call.kernel.machine.name,
    '-r': release,
    '-v': '#63-Ubuntu SMP PREEMPT_DYNAMIC',
    '-m': 'x86_64',
    '-o': 'GNU/Linux',
  };
  if (flags.has('-a')) return `${Object.values(parts).join(' ')}\n`;
  const wanted = Object.entries(parts).filter(([flag]) => flags.has(flag));
  return `${(wanted.length === 0 ? ['Linux'] : wanted.map(([, text]) => text)).join(' ')}\n`;
};

const dmidecode: Program = (call) => {
  const { machine } = call.kernel;
  const { values } = parseArgs(call.args, ['-s', '-t']);
  const answers: Readonly<Record<string, string>> = {
    'system-serial-number': machine.serial,
    'system-uuid': machine.uuid,
    'system-manufacturer': machine.vendor,
    'system-product-name': machine.model,
    'baseboard-serial-number': `${machine.serial}B`,
    'chassis-serial-number': machine.serial,
    'bios-version': '2.4.4',
  };
  const wanted = values.get('-s')?.[0];
  if (wanted === undefined) return '';
  const answer = answers[wanted];
  return answer === undefined ? fail(2, `Invalid string keyword: ${wanted}`) : `${answer}\n`;
};

const dmesg: Program = (call) => {
  const { bootId } = call.kernel.parameters;
  return call.kernel.machine.journal.lines
    .filter((line) => line.identifier === 'kernel' && line.bootId === bootId)
    .map((line) => `[${((line.at - call.kernel.startedAt) / 1000).toFixed(6).padStart(12)}] ${line.text}\n`)
    .join('');
};

export const MACHINE_FACT_PROGRAMS: Programs = { uname, dmidecode, dmesg };
