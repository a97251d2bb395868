/**
 * The inventory: one YAML file that says which servers a site has and what is to become of them.
 * @module
 */
export { checkInventory, type Inventory, loadInventory, resolveServer } from './load.js';
export { InventoryError } from './problem.js';
