/**
 * The site's mirrors of container registries, as the inventory's file names them.
 * @module
 */
import { parse as parseYaml } from 'yaml';
import { registryMirrors, type RegistryMirrors } from '../../domain/cluster/registries.js';
import { REGISTRY_HOSTS } from '../../domain/preflight/endpoints.js';
import type { ServerSpec } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';
import type { SecretSource } from '../../ports/secrets.js';

/** Empty without such a file. Its text may hold passwords, so no message repeats it. */
export async function readRegistryMirrors(spec: ServerSpec, secrets: SecretSource): Promise<RegistryMirrors> {
  const { registries } = spec.mirrors;
  if (registries === null) return {};
  const text = await secrets.read(`file:${registries}`);
  try {
    return registryMirrors(parseYaml(text), REGISTRY_HOSTS);
  } catch {
    throw new ProvisionError('OutputUnexpected', `${registries} is not YAML`);
  }
}
