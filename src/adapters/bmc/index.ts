/**
 * Out-of-band power control over IPMI and Redfish.
 * @module
 */
import type { Bmc, BmcProvider } from '../../ports/bmc.js';
import type { SecretSource } from '../../ports/secrets.js';
import { IpmiBmc } from './ipmi/ipmi-bmc.js';
import { BMC_PACING, type BmcPacing } from './pacing.js';
import { RedfishBmc } from './redfish/redfish-bmc.js';

export interface BmcProviderOptions {
  readonly secrets: SecretSource;
  /** Other pauses than hardware needs; for the lab and tests. */
  readonly pacing?: Partial<BmcPacing>;
}

export function createBmcProvider({ secrets, pacing = {} }: BmcProviderOptions): BmcProvider {
  const pace = { ...BMC_PACING, ...pacing };
  return {
    get(spec): Bmc | null {
      const { bmc } = spec;
      if (bmc.kind === 'none') return null;
      return bmc.kind === 'ipmi' ? new IpmiBmc(spec, bmc, secrets, pace) : new RedfishBmc(spec, bmc, secrets, pace);
    },
  };
}
export type { BmcPacing };
