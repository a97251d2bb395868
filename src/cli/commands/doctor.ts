/**
 * `doctor`: is everything there that a run needs? Each check says what to do. Reads only.
 * @module
 */
import { ClientError, type ProvisionClient } from '../../client.js';
import { broken, type Diagnosis, doctorExit, fine, warned } from '../../domain/doctor.js';
import { hostQueue, watchQueue, WORKFLOW_QUEUE } from '../../domain/run/messages.js';
import type { ServerSpec } from '../../domain/spec.js';
import { renderDoctor } from '../../domain/text/doctor.js';
import { count, list } from '../../domain/text/words.js';
import { checkInventory, type Inventory, InventoryError, loadInventory, resolveServer } from '../../inventory/index.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';

export interface DoctorArgs extends CommonArgs {
  /** Whose SSH, BMC and secrets are tried too. */
  readonly server?: string;
  readonly inventory?: string;
}

/** Exit 0 when nothing fails, else the code of the first that does: 8 Temporal or workers, 2 inventory or secrets, 7 the server. */
export async function doctor(deps: Deps, args: DoctorArgs): Promise<number> {
  const { io } = deps;
  const path = inventoryPath(args.inventory, io);
  const problems = checkInventory(path, { secrets: args.server !== undefined });
  const inventory = loadedOrNull(path);
  const spec = inventory === null || args.server === undefined ? null : named(inventory, args.server);
  const screen = new Screen(io, args);
  const [around, onHost] = await Promise.all([
    temporal(deps, inventory?.site ?? null),
    spec === null ? Promise.resolve([]) : onServer(deps, spec),
  ]);
  const diagnoses = [...around, inventoryDiagnosis(path, problems), ...onHost];
  const exit = doctorExit(diagnoses);
  if (args.json) screen.resultJson({ checks: diagnoses, exit });
  else screen.result(renderDoctor(diagnoses, screen.width));
  return exit;
}

/** What is wrong with it is a finding. */
function loadedOrNull(path: string): Inventory | null {
  try {
    return loadInventory(path);
  } catch (error) {
    if (error instanceof InventoryError) return null;
    throw error;
  }
}

/** Also where a file that it names is missing: the rest can be tried all the same. A name that the inventory lacks is bad input. */
function named(inventory: Inventory, server: string): ServerSpec {
  return inventory.servers.get(server) ?? resolveServer(inventory, server);
}

async function onServer({ io }: Deps, spec: ServerSpec): Promise<readonly Diagnosis[]> {
  // Loaded only here: it brings the adapters.
  const { examineDirectly } = await import('../../direct.js');
  return examineDirectly(spec, { env: io.env, signal: io.signal });
}

const PROBLEMS_SHOWN = 3;

function inventoryDiagnosis(path: string, problems: readonly string[]): Diagnosis {
  if (problems.length === 0) return fine('inventory', `${path} and the files it names are as they should be`);
  const text = `${count(problems.length, 'problem')}: ${list(problems, PROBLEMS_SHOWN)}`;
  return broken('inventory', text, `gpu-provision inventory check ${path} lists all`);
}

async function temporal(deps: Deps, site: string | null): Promise<readonly Diagnosis[]> {
  try {
    return await connected(deps, async (client) => {
      const { missingAttributes } = await client.health();
      const groups = await Promise.all([workers(client, site), versions(client)]);
      const where = `Temporal answers at ${client.address}, namespace ${client.namespace}`;
      return [fine('temporal.connection', where), ...attributes(missingAttributes), ...groups.flat()];
    });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return [broken('temporal.connection', error.message, 'docs/operating.md, section Temporal; runs are unaffected')];
  }
}

function attributes(missing: readonly string[] | null): readonly Diagnosis[] {
  const id = 'temporal.search-attributes';
  if (missing === null)
    return [warned(id, 'whether they are there may not be asked here', 'look in the settings of the namespace')];
  if (missing.length === 0) return [fine(id, 'all that runs write are there')];
  const remedy = missing.map((name) => `temporal operator search-attribute create --name ${name} --type Keyword`);
  return [broken(id, `missing: ${missing.join(', ')}`, remedy.join('; '))];
}

async function workers(client: ProvisionClient, site: string | null): Promise<readonly Diagnosis[]> {
  const polled = async (id: 'worker.workflows' | 'worker.site', queue: string): Promise<Diagnosis> => {
    const { pollers } = await client.queue(queue);
    const start = `gpu-provision worker${site === null ? '' : ` --site ${site}`}`;
    return pollers > 0
      ? fine(id, `${count(pollers, 'worker polls', 'workers poll')} ${queue}`)
      : broken(id, `no worker polls ${queue}: runs stand still`, start);
  };
  return Promise.all([
    polled('worker.workflows', WORKFLOW_QUEUE),
    ...(site === null ? [] : [hostQueue(site), watchQueue(site)]).map((queue) => polled('worker.site', queue)),
  ]);
}

/** New runs should go to what is installed here, or the next upgrade was forgotten halfway. */
async function versions(client: ProvisionClient): Promise<readonly Diagnosis[]> {
  const id = 'worker.version';
  const { current } = await client.queue(WORKFLOW_QUEUE);
  if (current === null) return [fine(id, 'workers have no version: each of them serves every run')];
  const { deployment, buildId } = current;
  const own = await ownVersion();
  if (own === buildId) return [fine(id, `new runs go to this version, ${buildId} of ${deployment}`)];
  const here =
    own === null ? 'which version is installed here cannot be told: it is not built' : `${own} is installed here`;
  return [
    warned(
      id,
      `new runs go to ${buildId} of ${deployment}; ${here}`,
      `to change that, once its workers run: gpu-provision set-current-version --deployment ${deployment}`,
    ),
  ];
}

/** null in a checkout that was not built. */
async function ownVersion(): Promise<string | null> {
  const { ownBuildId } = await import('../../worker-version.js');
  try {
    return await ownBuildId();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
