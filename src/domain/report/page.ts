/**
 * The report of a run as one HTML file: opens offline, prints, and runs and loads nothing.
 * @module
 */
import { phaseOf } from '../run/phases.js';
import type { RunStatus } from '../run/messages.js';
import { stamp } from '../text/times.js';
import { artifacts, type ArtifactText } from './artifacts-section.js';
import { badge, code, facts, html, Html, type Content } from './html.js';
import { acceptance, devices, evidence, plan } from './host-sections.js';
import type { Report } from './report.js';
import { decisions, events, moment, phases, reboots, summary } from './run-sections.js';
import { STYLE, STYLE_SHA256 } from './style.js';
import { timelineSvg } from './timeline-svg.js';

/** Whatever were to get past the escaping could neither run, nor be fetched, nor restyle the page. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_SHA256}'; base-uri 'none'; form-action 'none'`;

const LEGEND =
  'A frame is a phase, a block in it a step. Hatched: waits for people, long ones drawn shorter and named. Diamonds: a decision, or (filled) a power cycle. Strokes: the host left, or a rung of the ladder.';

interface Section {
  readonly id: string;
  readonly title: string;
  /** Nothing where the run has nothing of it. */
  readonly body: (status: RunStatus, texts: ReadonlyMap<string, ArtifactText>) => Content;
}

const SECTIONS: readonly Section[] = [
  { id: 'timeline', title: 'Timeline', body: (status) => [timelineSvg(status), html`<p class="soft">${LEGEND}</p>`] },
  { id: 'phases', title: 'Phases and steps', body: phases },
  { id: 'decisions', title: 'Questions and decisions', body: decisions },
  { id: 'plan', title: 'Plan of the reboot', body: (status) => (status.plan === null ? null : plan(status.plan)) },
  { id: 'reboots', title: 'Reboots and undo', body: reboots },
  { id: 'devices', title: 'Devices', body: devices },
  { id: 'acceptance', title: 'Acceptance', body: acceptance },
  { id: 'evidence', title: 'Evidence of steps', body: evidence },
  { id: 'output', title: 'Output and journals', body: artifacts },
  { id: 'events', title: 'Events', body: events },
];

/** @param texts Of artifacts, by their SHA-256, where they could be read. */
export function renderReport(report: Report, texts: ReadonlyMap<string, ArtifactText> = new Map()): string {
  const { server, status, known } = report;
  const shown =
    status === null ? [] : SECTIONS.map((section) => ({ ...section, content: section.body(status, texts) }));
  const sections = shown.filter(({ content }) => content !== null);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${server}: ${state(report)}, ${stamp(status?.startedAt ?? known.startedAt)}</title>
        ${new Html(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <header>
          <h1>${server} ${badge(report.outcome ?? report.workflow, state(report))}</h1>
          ${about(report)}
        </header>
        <nav aria-label="Sections">
          <ul>
            <li><a href="#summary">Summary</a></li>
            ${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}
          </ul>
        </nav>
        <main>
          <section aria-labelledby="summary">
            <h2 id="summary">Summary</h2>
            ${status === null ? html`<p>${UNANSWERED}</p>` : null}${summary(report)}
          </section>
          ${sections.map(
            ({ id, title, content }) =>
              html`<section aria-labelledby="${id}">
                <h2 id="${id}">${title}</h2>
                ${content}
              </section> `,
          )}
        </main>
        <footer>
          <p class="soft">
            Report version ${report.reportVersion}, made by gpu-provision at ${moment(report.now)}. The same as data:
            gpu-provision report ${server} --json
          </p>
        </footer>
      </body>
    </html> `;
  return page.text;
}

const UNANSWERED =
  'The run itself could not be asked, so only what Temporal keeps beside it is shown. A report made while a worker serves the run has the rest.';

function state({ outcome, workflow, status }: Report): string {
  if (outcome !== null) return outcome === 'restored' && status?.failure?.type === 'Cancelled' ? 'cancelled' : outcome;
  return workflow === 'running' ? 'running' : `${workflow} from outside`;
}

function about({ status, known, workflow }: Report): Content {
  const phase = status?.phases.findLast(({ startedAt }) => startedAt !== null)?.name;
  return facts([
    ['serial', status?.serial ?? null],
    ['address', status?.address ?? null],
    ['site', known.site],
    ['cluster', known.cluster],
    ['kernel', status?.plan?.kernel ?? null],
    ['k3s', status?.versions?.k3s ?? null],
    ['Cozystack', status?.versions?.cozystack ?? null],
    ['started', moment(status?.startedAt ?? known.startedAt)],
    ['started by', `${known.startedBy} (asserted)`],
    ['ended', moment(status?.endedAt ?? known.endedAt)],
    ['last phase', phase === undefined ? known.phase : phaseOf(phase).title],
    ['workflow', workflow],
    ['run', code(known.runId)],
  ]);
}
