/**
 * The inventory: one YAML file that says which servers a site has and what is to become of them.
 * @module
 */
import type { ServerSpec } from '../domain/spec.js';

/** A loaded inventory: its shape and its cross references are right. */
export interface Inventory {
  /** The path as it was given; messages start with it. */
  readonly path: string;
  readonly site: string;
  /** Every server, resolved, in the order of the file. */
  readonly servers: ReadonlyMap<string, ServerSpec>;
}

/** Thrown for every mistake in an inventory: bad input, exit code 2. The message is the problems, one line each. */
export declare class InventoryError extends Error {
  /** Each `FILE:LINE:COL path.into.file: what was found; what would be right`. Never holds a secret. */
  readonly problems: readonly string[];
  constructor(problems: readonly string[]);
}

/** Reads and checks the text of an inventory; looks at no other file. Throws InventoryError. */
export declare function loadInventory(path: string): Inventory;

/** One server; also checks the files it names: SSH key, known_hosts, secrets kept in files. Throws InventoryError. */
export declare function resolveServer(inventory: Inventory, name: string): ServerSpec;

/** Every problem of an inventory and of the files it names; with `secrets` also those of environment variables. */
export declare function checkInventory(path: string, options: { readonly secrets: boolean }): readonly string[];
