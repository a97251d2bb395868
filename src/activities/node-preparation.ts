/**
 * Phase 2: the known-good copy, then everything the platform needs on the host. What it changes stays after a failure and is listed.
 * @module
 */
import type { PhaseSteps } from './define-step.js';
import { claimHost } from './preparation/claim-host.js';
import { copyKnownGood } from './preparation/copy-known-good.js';
import { installPackages } from './preparation/install-packages.js';
import { publishDefault } from './preparation/publish-known-good-default.js';
import {
  configureContainerd,
  enableServices,
  excludeDrbd,
  filterLvm,
  loadModules,
  setSysctl,
  validateFiles,
} from './preparation/settings.js';

export const preparationSteps = {
  'preparation.claim-host': claimHost,
  'preparation.copy-known-good': copyKnownGood,
  'preparation.publish-known-good-default': publishDefault,
  'preparation.install-packages': installPackages,
  'preparation.load-modules': loadModules,
  'preparation.set-sysctl': setSysctl,
  'preparation.exclude-drbd': excludeDrbd,
  'preparation.enable-services': enableServices,
  'preparation.filter-lvm': filterLvm,
  'preparation.configure-containerd': configureContainerd,
  'preparation.validate-files': validateFiles,
} satisfies PhaseSteps<'node-preparation'>;
