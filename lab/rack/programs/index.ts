/**
 * Every program of a simulated host, by name.
 * @module
 */
import type { Programs } from '../shell/program.js';
import { APT_PROGRAMS } from './apt.js';
import { APT_MARK_PROGRAMS } from './apt-mark.js';
import { BOOT_SERVICE_PROGRAMS } from './boot-services.js';
import { COPYING_PROGRAMS } from './copying.js';
import { DPKG_PROGRAMS } from './dpkg.js';
import { FILE_FACT_PROGRAMS } from './file-facts.js';
import { GRUB_PROGRAMS } from './grub-tools.js';
import { INITRAMFS_PROGRAMS } from './initramfs-tools.js';
import { JOURNAL_PROGRAMS } from './journalctl.js';
import { INSTALLED_KERNEL_PROGRAMS } from './kernels.js';
import { PCI_PROGRAMS } from './lspci.js';
import { MACHINE_FACT_PROGRAMS } from './machine-facts.js';
import { MODULE_PROGRAMS } from './modules.js';
import { NETWORK_PROGRAMS } from './network.js';
import { NVIDIA_PROGRAMS } from './nvidia-smi.js';
import { PLATFORM_PROGRAMS } from './platform.js';
import { PROCESS_PROGRAMS } from './processes.js';
import { RUNNING_PROGRAMS } from './running.js';
import { STORAGE_PROGRAMS } from './storage.js';
import { SYSCTL_PROGRAMS } from './sysctl.js';
import { SYSTEMCTL_PROGRAMS } from './systemctl.js';
import { SYSTEMD_RUN_PROGRAMS } from './systemd-run.js';
import { USER_PROGRAMS } from './users.js';
import { WRITING_PROGRAMS } from './writing.js';

export const PROGRAMS: Programs = {
  ...APT_PROGRAMS,
  ...APT_MARK_PROGRAMS,
  ...BOOT_SERVICE_PROGRAMS,
  ...COPYING_PROGRAMS,
  ...DPKG_PROGRAMS,
  ...FILE_FACT_PROGRAMS,
  ...GRUB_PROGRAMS,
  ...INITRAMFS_PROGRAMS,
  ...JOURNAL_PROGRAMS,
  ...INSTALLED_KERNEL_PROGRAMS,
  ...PCI_PROGRAMS,
  ...MACHINE_FACT_PROGRAMS,
  ...MODULE_PROGRAMS,
  ...NETWORK_PROGRAMS,
  ...NVIDIA_PROGRAMS,
  ...PLATFORM_PROGRAMS,
  ...PROCESS_PROGRAMS,
  ...RUNNING_PROGRAMS,
  ...STORAGE_PROGRAMS,
  ...SYSCTL_PROGRAMS,
  ...SYSTEMCTL_PROGRAMS,
  ...SYSTEMD_RUN_PROGRAMS,
  ...USER_PROGRAMS,
  ...WRITING_PROGRAMS,
};
