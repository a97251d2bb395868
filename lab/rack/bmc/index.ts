/**
 * A BMC for a simulated host, and OpenIPMI's for the tests.
 * @module
 */
export { startBmcOf } from './of-host.js';
export { startIpmiBmcOf } from './ipmi-of-host.js';
export { startBmc } from './start.js';
export type { BmcFault, BmcFaultEffect, BmcOptions, BmcPower, ResetType, SimulatedBmc } from './options.js';
