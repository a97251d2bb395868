/**
 * Stays with a run until it is over or needs hands, and says how it ended.
 * @module
 */
import type { ProvisionClient } from '../client.js';
import { reportOf } from '../domain/report/report.js';
import { exitCodeOf } from '../domain/run/view.js';
import { renderSummary } from '../domain/text/summary.js';
import { eventLog } from './event-log.js';
import { EXIT_LEFT } from './exit.js';
import { liveView } from './live-view.js';
import type { Screen } from './screen.js';

export async function follow(client: ProvisionClient, server: string, screen: Screen): Promise<number> {
  const { terminal } = screen.io;
  const seen =
    terminal === null || screen.options.json
      ? await eventLog(client, server, screen)
      : await liveView(client, server, terminal, screen);
  if (seen === null) {
    screen.progress([`left; the run goes on. Look again: gpu-provision watch ${server}`]);
    return EXIT_LEFT;
  }
  const exit = exitCodeOf(seen);
  if (screen.options.json) screen.resultJson(reportOf(seen));
  else screen.result(renderSummary(seen, screen.width));
  return exit;
}
