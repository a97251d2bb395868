import type { Io } from './io.js';

/** Names the inventory where `--inventory` doesn't. */
export const INVENTORY_VARIABLE = 'GPU_PROVISION_INVENTORY';

export function inventoryPath(option: string | undefined, io: Io): string {
  return option ?? io.env[INVENTORY_VARIABLE] ?? './inventory.yaml';
}
