export { decommissionServer } from './decommission-server.js';
export { planServer } from './plan-server.js';
export { provisionServer } from './provision-server.js';
export { rebootServer } from './reboot-server.js';
export { upgradeKernel } from './upgrade-kernel.js';
export { verifyServer } from './verify-server.js';
