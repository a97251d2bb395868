/**
 * What may stand after `npm run demo --`.
 * @module
 */
import { BadOption, FLAG, optionValues } from '../tools/options.js';
import { DEMO_FAULTS, type DemoFault } from './faults.js';

export interface DemoOptions {
  /** Approves by itself, and gives parked phases up. */
  readonly yes: boolean;
  /** Stops everything when the run is over. */
  readonly exit: boolean;
  /** One JSON object as the last line of stdout. */
  readonly json: boolean;
  readonly listFaults: boolean;
  readonly help: boolean;
  readonly fault: DemoFault | null;
}

export const USAGE = `npm run demo -- [--yes] [--exit] [--json] [--fault NAME] [--list-faults]

  --yes           approve the reboot by itself
  --exit          stop everything when the run is over; without it the UI stays up until Ctrl-C
  --json          print one JSON object as the last line of stdout
  --fault NAME    break something; the run must cope
  --list-faults   what can be broken
`;

export function parseOptions(argv: readonly string[]): DemoOptions {
  const values = optionValues(argv, {
    yes: FLAG,
    exit: FLAG,
    json: FLAG,
    'list-faults': FLAG,
    help: { ...FLAG, short: 'h' },
    fault: { type: 'string' },
  });
  const { yes, exit, json, help, fault: name } = values;
  return { yes, exit, json, help, listFaults: values['list-faults'], fault: name === undefined ? null : faultOf(name) };
}

function faultOf(name: string): DemoFault {
  const fault = DEMO_FAULTS.find((f) => f.name === name);
  if (fault !== undefined) return fault;
  throw new BadOption(`--fault ${name}: no such fault; there are ${DEMO_FAULTS.map((f) => f.name).join(', ')}`);
}
