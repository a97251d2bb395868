/**
 * Every program of a simulated host, by name.
 * @module
 */
import type { Programs } from '../shell/program.js';
import { BOOT_PROGRAMS } from './boot-loader.js';
import { FILE_PROGRAMS } from './files.js';
import { IDENTITY_PROGRAMS } from './identity.js';
import { KERNEL_PROGRAMS } from './kernel.js';
import { NETWORK_PROGRAMS } from './network.js';
import { PACKAGE_PROGRAMS } from './packages.js';
import { STORAGE_PROGRAMS } from './storage.js';
import { SYSTEMD_PROGRAMS } from './systemd.js';

export const PROGRAMS: Programs = {
  ...BOOT_PROGRAMS,
  ...FILE_PROGRAMS,
  ...IDENTITY_PROGRAMS,
  ...KERNEL_PROGRAMS,
  ...NETWORK_PROGRAMS,
  ...PACKAGE_PROGRAMS,
  ...STORAGE_PROGRAMS,
  ...SYSTEMD_PROGRAMS,
};
