import { dirname, resolve } from 'node:path';
import type { ServerSpec } from '../domain/spec.js';
import { type Finding, referenceFindings, serverFindings } from './cross-checks.js';
import { didYouMean } from './did-you-mean.js';
import { namedFileFindings } from './named-files.js';
import { InventoryError } from './problem.js';
import { resolveEntry } from './resolve.js';
import { inventorySchema } from './schema.js';
import { shapeProblems } from './shape-problems.js';
import { InventorySource } from './source.js';

/** A loaded inventory: its shape and its cross references are right. */
export interface Inventory {
  /** The path as it was given; messages start with it. */
  readonly path: string;
  readonly site: string;
  /** Every server, resolved, in the order of the file. The files they name have not been looked at. */
  readonly servers: ReadonlyMap<string, ServerSpec>;
  /** Where each value stands. */
  readonly source: InventorySource;
}

/**
 * Reads and checks an inventory; looks at no other file, so that it works on machines without the keys.
 * Throws InventoryError.
 */
export function loadInventory(path: string): Inventory {
  const source = InventorySource.read(path);
  refuse(shapeProblems(source));
  const file = inventorySchema.parse(source.value);
  refuse(lines(source, referenceFindings(file)));
  const directory = dirname(resolve(path));
  const specs = Object.entries(file.servers).map(([name, entry]) => resolveEntry(file, name, entry, directory));
  refuse(lines(source, serverFindings(file, specs)));
  return { path, site: file.site, servers: new Map(specs.map((spec) => [spec.name, spec])), source };
}

/**
 * One server, with the files it names checked: SSH key, known_hosts, secrets kept in files, registries.yaml.
 * Throws InventoryError.
 */
export function resolveServer(inventory: Inventory, name: string): ServerSpec {
  const spec = inventory.servers.get(name);
  if (spec === undefined) {
    const known = [...inventory.servers.keys()];
    const text = `found no server ${name}; expected one of ${known.join(', ')}${didYouMean(name, known)}`;
    throw new InventoryError([inventory.source.problem(['servers'], text, 'key')]);
  }
  refuse(lines(inventory.source, namedFileFindings(inventory.source, spec, false)));
  return spec;
}

/**
 * Every problem of an inventory and of the files that its servers name; none when all is well.
 * With `secrets` also unset environment variables: for the machine where the worker runs.
 */
export function checkInventory(path: string, { secrets }: { readonly secrets: boolean }): readonly string[] {
  try {
    const { source, servers } = loadInventory(path);
    return unique(
      lines(
        source,
        [...servers.values()].flatMap((spec) => namedFileFindings(source, spec, secrets)),
      ),
    );
  } catch (error) {
    if (error instanceof InventoryError) return error.problems;
    throw error;
  }
}

function lines(source: InventorySource, findings: readonly Finding[]): readonly string[] {
  return findings.map(({ path, text }) => source.problem(path, text));
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new InventoryError(unique(problems));
}

/** Servers share defaults, and so their mistakes. */
function unique(problems: readonly string[]): readonly string[] {
  return [...new Set(problems)];
}
