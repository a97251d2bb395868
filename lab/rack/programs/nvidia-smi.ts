/**
 * nvidia-smi, of what the native driver holds.
 * @module
 */
import { FIRST_SERVER_GPUS } from '../pci/device.js';
import type { Program, Programs } from '../shell/program.js';

const nvidiaSmi: Program = (call) => {
  const { bus, machine } = call.kernel;
  if (!bus.drivers.has('nvidia'))
    return {
      exitCode: 9,
      stdout:
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n",
    };
  const gpus = [...bus.states.values()].filter((state) => state.driver === 'nvidia');
  if (gpus.length === 0) return { exitCode: 6, stdout: 'No devices were found\n' };
  const uuid = (address: string): string =>
    `GPU-${Buffer.from(machine.serial + address)
      .toString('hex')
      .padEnd(32, '0')
      .slice(0, 8)}-0000-0000-0000-${address.replaceAll(/[^0-9a-f]/g, '').padStart(12, '0')}`;
  if (call.args.includes('-L'))
    return gpus
      .map(({ device }, index) => `GPU ${index}: NVIDIA H100 80GB HBM3 (UUID: ${uuid(device.address)})\n`)
      .join('');
  const apps = call.args.find((arg) => arg.startsWith('--query-compute-apps'));
  if (apps !== undefined) {
    const header = call.args.some((arg) => arg.includes('noheader'))
      ? ''
      : 'pid, process_name, used_gpu_memory [MiB]\n';
    const fields = apps.slice(apps.indexOf('=') + 1).split(',');
    const rows = machine.workloads.flatMap((workload, index) => {
      if (workload.kind !== 'gpu') return [];
      const values: Readonly<Record<string, string>> = {
        pid: String(9_000 + index),
        process_name: workload.command,
        name: workload.command,
        gpu_uuid: uuid(gpus[0]?.device.address ?? ''),
        used_memory: '4096 MiB',
        used_gpu_memory: '4096 MiB',
        gpu_bus_id: `0000${gpus[0]?.device.address ?? ''}`,
      };
      return [fields.map((field) => values[field] ?? '[N/A]').join(', ')];
    });
    return header + rows.map((row) => `${row}\n`).join('');
  }
  const query = call.args.find((arg) => arg.startsWith('--query-gpu'));
  if (query !== undefined) {
    const fields = query.slice(query.indexOf('=') + 1).split(',');
    return gpus
      .map(({ device }, index) => {
        const values: Readonly<Record<string, string>> = {
          index: String(index),
          name: 'NVIDIA H100 80GB HBM3',
          uuid: uuid(device.address),
          pci_bus_id: `0000${device.address.toUpperCase()}`,
          'pci.bus_id': `0000${device.address.toUpperCase()}`,
          driver_version: '580.95.05',
          'mig.mode.current': 'Disabled',
        };
        return fields.map((field) => values[field] ?? '[N/A]').join(', ');
      })
      .map((line) => `${line}\n`)
      .join('');
  }
  return `NVIDIA-SMI 580.95.05  ${gpus.length} of ${FIRST_SERVER_GPUS.length} GPUs\n`;
};

export const NVIDIA_PROGRAMS: Programs = { 'nvidia-smi': nvidiaSmi };
