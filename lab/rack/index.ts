/**
 * The simulated rack: servers that boot, answer SSH, and obey the rules that matter when one changes how they boot.
 * @module
 */
export { startRack } from './rack.js';
export { FaultTable, type FaultEffect, type FaultPoint, type FaultRule } from './faults.js';
export { FIRST_SERVER_GPUS } from './pci/device.js';
export type {
  BootCause,
  BootRecord,
  BusyPeriod,
  HostImage,
  Rack,
  RackOptions,
  SimulatedDisk,
  SimulatedHost,
  SimulatedHostOptions,
  SnapshotEntry,
  Workload,
} from './options.js';
