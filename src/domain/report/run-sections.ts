/**
 * What the run did and decided, as parts of the page.
 * @module
 */
import type { PhaseStatus, RunStatus, StepStatus } from '../run/messages.js';
import { OUTCOMES } from '../run/outcomes.js';
import { phaseOf } from '../run/phases.js';
import { summaryLines } from '../text/summary.js';
import { duration, stamp, stopwatch } from '../text/times.js';
import { badge, code, facts, html, list, output, table, type Content } from './html.js';
import type { Report } from './report.js';

export const moment = (iso: string | null): Content =>
  iso === null ? null : html`<time datetime="${iso}">${stamp(iso)}</time>`;

export function summary(report: Report): Content {
  const { status, outcome } = report;
  const rows = summaryLines(report);
  const means = outcome === null ? null : html`<p>${OUTCOMES[outcome].means}.</p>`;
  const todo = status?.instructions ?? [];
  return [
    means,
    rows.length === 0
      ? null
      : html`<dl class="rows">
          ${rows.map(
            ({ label, text }) =>
              html`<div>
                <dt>${label}</dt>
                <dd>${text}</dd>
              </div>`,
          )}
        </dl>`,
    todo.length === 0
      ? null
      : html`<h3>To do</h3>
          <ol>
            ${todo.map((text) => html`<li>${text}</li>`)}
          </ol>`,
  ];
}

export function phases({ phases: all }: RunStatus): Content {
  const begun = all.filter(({ state }) => state !== 'pending');
  return [
    table({
      caption: 'Phases',
      head: ['phase', 'state', 'began', 'took', 'result'],
      rows: begun.map((phase) => [`${phaseOf(phase.name).number} ${phaseOf(phase.name).title}`, ...course(phase)]),
    }),
    table({
      caption: 'Steps',
      head: ['step', 'state', 'began', 'took', 'result'],
      rows: begun.flatMap(({ steps }) => steps.map((step) => [code(step.name), ...course(step)])),
    }),
  ];
}

function course({ state, startedAt, seconds, summary: text }: PhaseStatus | StepStatus): readonly Content[] {
  return [badge(state), moment(startedAt), seconds === null ? null : stopwatch(seconds), text];
}

export function decisions({ decisions: receipts, question, waitedSeconds }: RunStatus): Content {
  return [
    question === null
      ? null
      : html`<p>
          ${badge('waiting', 'open')} <b>${question.id}</b> since ${moment(question.openedAt)}: ${question.text}
        </p>`,
    table({
      caption: 'Answers of people; names are as asserted',
      head: ['question', 'answer', 'by', 'at', 'digest', 'reason'],
      rows: receipts.map(({ gate, choice, by, at, digest, reason }) => [
        gate,
        badge(choice),
        by,
        moment(at),
        code(digest),
        reason,
      ]),
    }),
    waitedSeconds === 0 ? null : html`<p>Waited for people: ${duration(waitedSeconds)}.</p>`,
  ];
}

export function reboots({ reboot, counts, compensations }: RunStatus): Content {
  const { forwardReboots, undoReboots, powerCycles } = counts;
  return [
    facts([
      ['forward reboots', forwardReboots],
      ['undo reboots', undoReboots],
      ['power cycles', powerCycles],
    ]),
    reboot === null
      ? null
      : [
          html`<h3>Reboot ${reboot.number} (${reboot.purpose})</h3>`,
          facts([
            ['asked', moment(reboot.requestedAt)],
            ['left', moment(reboot.leftAt)],
            ['ended in', reboot.outcome === null ? 'not known yet' : reboot.outcome.kind],
            ['seen', moment(reboot.outcome?.seenAt ?? null)],
            ['evidence', reboot.outcome?.evidence ?? null],
            ['old boot id', code(reboot.oldBootId)],
            ['new boot id', code(reboot.outcome?.bootId ?? null)],
            ['usual boot', reboot.usualSeconds === null ? 'unknown' : duration(reboot.usualSeconds)],
            ['BMC said', reboot.bmc],
            ['console said last', reboot.console ?? null],
          ]),
          output('Kernel command line of the boot it ended in', reboot.outcome?.commandLine ?? ''),
          table({
            caption: 'Escalation ladder',
            head: ['rung', 'at', 'state'],
            rows: reboot.ladder.map(({ rung, at, state }) => [rung, moment(at), state]),
          }),
        ],
    compensations.length === 0 ? null : [html`<h3>Undone, in this order</h3>`, list(compensations)],
  ];
}

export function events({ events: all }: RunStatus): Content {
  return table({
    caption: 'Events, oldest first',
    head: ['at', 'phase', 'kind', 'text'],
    rows: all.map(({ at, phase, kind, text }) => [moment(at), phase, kind, text]),
  });
}
