/**
 * Examples in the help of every command. A test parses each of them, so none can name what is not there.
 * @module
 */
import type { Command } from 'commander';
import { everyCommand, pathOf } from './every-command.js';

const START = [
  '--inventory inventory.yaml',
  '--dry-run --diff all',
  '--detach --reason CHG-4711',
  '--phases preflight,gpu-isolation',
];

export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'start-provision': START.map((options) => `start-provision --server h100-01 ${options}`),
  'gpu-provision': ['gpu-provision preflight h100-01', 'gpu-provision start h100-01', 'gpu-provision list'],
  'gpu-provision start': START.map((options) => `gpu-provision start h100-01 ${options}`),
  'gpu-provision preflight': [
    'gpu-provision preflight h100-01 --inventory inventory.yaml',
    `gpu-provision preflight h100-01 --json | jq '.checks[] | select(.severity != "ok")'`,
  ],
  'gpu-provision plan': ['gpu-provision plan h100-01 --diff all', 'gpu-provision plan h100-01 --json | jq .changes'],
  'gpu-provision status': ['gpu-provision status h100-01', 'gpu-provision status h100-01 --json | jq .outcome'],
  'gpu-provision list': [
    'gpu-provision list --site fra1',
    `gpu-provision list --json | jq -r '.runs[] | select(.known.gate) | .server'`,
  ],
  'gpu-provision doctor': [
    'gpu-provision doctor',
    `gpu-provision doctor h100-01 --json | jq '.checks[] | select(.severity != "ok")'`,
  ],
  'gpu-provision watch': ['gpu-provision watch h100-01', 'gpu-provision watch h100-01 --json 2>events.jsonl'],
  'gpu-provision approve': [
    'gpu-provision approve h100-01',
    'gpu-provision approve h100-01 --digest 7f3a-91c2 --reason "CHG-4711"',
  ],
  'gpu-provision reject': [
    'gpu-provision reject h100-01 --reason "not before Sunday"',
    'gpu-provision reject h100-01 --gate parked:cozystack',
  ],
  'gpu-provision resume': ['gpu-provision resume h100-01 --note "chose known-good at the console"'],
  'gpu-provision cancel': ['gpu-provision cancel h100-01', 'gpu-provision cancel h100-01 --confirm h100-01'],
  'gpu-provision report': [
    'gpu-provision report h100-01 --html h100-01.html',
    'gpu-provision report h100-01 --json | jq .outcome',
  ],
  'gpu-provision verify': [
    'gpu-provision verify h100-01 --inventory inventory.yaml',
    'gpu-provision verify h100-01 --schedule 24h',
  ],
  'gpu-provision reboot': [
    'gpu-provision reboot h100-01 --inventory inventory.yaml',
    'gpu-provision reboot h100-01 --detach --reason "CHG-4711"',
  ],
  'gpu-provision upgrade-kernel': [
    'gpu-provision upgrade-kernel h100-01 --inventory inventory.yaml',
    'gpu-provision upgrade-kernel h100-01 --detach --reason "CHG-4711"',
  ],
  'gpu-provision decommission': [
    'gpu-provision decommission h100-01 --inventory inventory.yaml',
    'gpu-provision decommission h100-01 --detach --reason "CHG-4711"',
  ],
  'gpu-provision worker': [
    'gpu-provision worker --inventory inventory.yaml',
    'gpu-provision worker --site fra1 --deployment gpu-provision',
  ],
  'gpu-provision set-current-version': ['gpu-provision set-current-version --deployment gpu-provision'],
  'gpu-provision codec-server': ['gpu-provision codec-server --origin http://127.0.0.1:8080'],
  'gpu-provision inventory': ['gpu-provision inventory check inventory.yaml'],
  'gpu-provision inventory check': [
    'gpu-provision inventory check inventory.yaml',
    'gpu-provision inventory check --secrets --json',
  ],
  'gpu-provision inventory discover': [
    'gpu-provision inventory discover 192.0.2.11 --user ubuntu --known-hosts known_hosts',
    'gpu-provision inventory discover 192.0.2.12 --name h100-02 >> inventory.yaml',
  ],
  'gpu-provision inventory servers': ['gpu-provision inventory servers | xargs -n 1 gpu-provision status'],
  'gpu-provision completion': [
    'source <(gpu-provision completion bash)',
    'gpu-provision completion fish > ~/.config/fish/completions/gpu-provision.fish',
  ],
};

/** The program, with examples below the help of each of its commands. */
export function withExamples(program: Command): Command {
  for (const command of everyCommand(program)) {
    const lines = EXAMPLES[pathOf(command)] ?? [];
    if (lines.length > 0) command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`);
  }
  return program;
}
