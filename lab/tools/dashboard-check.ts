/**
 * Grafana's own schema of dashboards as a program: it reads one from stdin and says what is wrong with it.
 * @module
 */
import { goProgram } from './go-program.js';
import { thisMachine, type Workshop } from './workshop.js';

/** Of Grafana's foundation SDK, as `dashboard-check/go.mod` has it. */
const VERSION = '0.0.22';

/** Path of an executable; built and cached when there is none. Throws ToolUnavailable. */
export function dashboardCheck(workshop: Workshop = thisMachine()): Promise<string> {
  return goProgram(
    {
      title: `Grafana's schema of dashboards ${VERSION}`,
      command: 'lab-dashboard-check',
      variable: 'GPU_PROVISION_DASHBOARD_CHECK',
      folder: 'dashboard-check',
      version: VERSION,
      answer: `Grafana's foundation SDK ${VERSION}`,
      flags: '-s -w',
      takes: 'about half a minute on two cores',
    },
    workshop,
  );
}
