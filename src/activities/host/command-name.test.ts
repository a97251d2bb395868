import { expect, it } from 'vitest';
import { LOCK_FILE } from '../../domain/host-layout.js';
import { commandName } from './command-name.js';
import { FENCED, SAVE_ORIGINAL } from './scripts.js';

const FENCE = ['sh', '-c', FENCED, 'gpu-provision', '/fence', 'run', '1'];
const LOCK = ['flock', '-w', '45', '-E', '76', LOCK_FILE];

it.each([
  [['cat', '/proc/uptime'], 'cat'],
  [['sh', '-c', SAVE_ORIGINAL, 'gpu-provision', 'secret'], 'save-original'],
  [['sh', '-c', 'echo secret'], 'sh'],
  [[...LOCK, ...FENCE, 'apt-get', 'install', 'lvm2'], 'apt-get'],
  [[...LOCK, ...FENCE, 'sh', '-c', SAVE_ORIGINAL, 'gpu-provision'], 'save-original'],
  [[], ''],
])('%j is called %s', (argv, name) => {
  expect(commandName(argv)).toBe(name);
});
