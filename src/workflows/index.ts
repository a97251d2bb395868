export { planServer } from './plan-server.js';
export { provisionServer } from './provision-server.js';
export { verifyServer } from './verify-server.js';
