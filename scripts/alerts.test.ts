/**
 * The alerts as Prometheus judges them: each fires when it should, not a minute before, and not for what looks alike.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { describeWith } from '../test/support/skip-unless.js';

const RULES = fileURLToPath(new URL('../deploy/prometheus/rules.yaml', import.meta.url));

/** Values a minute apart, from minute 0 on. `v+dxn` is v and n more, each d higher; `_xn` is n times nothing. */
type Series = Readonly<Record<string, string>>;

interface Case {
  readonly series: Series;
  /** Minutes: the last one without the alert, and one with it. */
  readonly silentAt: number;
  readonly firesAt: number;
  /** Minute in which it is over, where that is by itself. */
  readonly overAt?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
  /** Looks alike, and is none. */
  readonly alike: Series;
}

const FRA = { site: 'fra1' };

const CASES: Readonly<Record<string, Case>> = {
  GpuProvisionNeedsHands: {
    series: { 'gpu_provision_questions_open{site="fra1", question="needs-hands"}': '0+0x5 1+0x60' },
    silentAt: 6,
    firesAt: 7,
    labels: FRA,
    summary: 'A server of fra1 needs hands',
    alike: { 'gpu_provision_questions_open{site="fra1", question="parked"}': '1+0x300' },
  },
  GpuProvisionApprovalWaits: {
    series: { 'gpu_provision_oldest_question_age_seconds{site="fra1", question="reboot"}': '0+60x300' },
    silentAt: 240,
    firesAt: 241,
    labels: { ...FRA, question: 'reboot' },
    summary: 'An approval (reboot) of fra1 has waited for 4h 1m 0s',
    alike: { 'gpu_provision_oldest_question_age_seconds{site="fra1", question="parked"}': '0+60x300' },
  },
  GpuProvisionParked: {
    series: { 'gpu_provision_questions_open{site="fra1", question="parked"}': '0+0x5 1+0x60' },
    silentAt: 20,
    firesAt: 21,
    labels: FRA,
    summary: 'A phase of fra1 is parked',
    alike: { 'gpu_provision_questions_open{site="fra1", question="reboot"}': '1+0x300' },
  },
  GpuProvisionRestored: {
    // The counter begins with the event itself.
    series: { 'gpu_provision_run_duration_seconds_count{site="fra1", outcome="restored"}': '_x10 1+0x200' },
    silentAt: 9,
    firesAt: 10,
    overAt: 71,
    labels: FRA,
    summary: 'A server of fra1 was restored',
    alike: { 'gpu_provision_run_duration_seconds_count{site="fra1", outcome="provisioned"}': '0+1x300' },
  },
  GpuProvisionEscalates: {
    series: { 'gpu_provision_escalations_total{site="fra1", rung="graceful"}': '3+0x99 4+0x200' },
    silentAt: 99,
    firesAt: 100,
    overAt: 161,
    labels: FRA,
    summary: 'A server of fra1 does not come back from a reboot',
    alike: { 'gpu_provision_escalations_total{site="fra1", rung="look"}': '0+1x300' },
  },
  GpuProvisionUndelivered: {
    series: { 'gpu_provision_announcements_total{site="fra1", result="refused"}': '2+0x99 3+0x200' },
    silentAt: 99,
    firesAt: 100,
    overAt: 161,
    labels: { ...FRA, result: 'refused' },
    summary: 'Announcements of fra1 are refused',
    alike: { 'gpu_provision_announcements_total{site="fra1", result="delivered"}': '0+1x300' },
  },
  GpuProvisionAuditWaits: {
    series: { 'gpu_provision_audit_lines_total{site="fra1", result="delayed"}': '2+0x199 3+0x200' },
    silentAt: 199,
    firesAt: 200,
    overAt: 321,
    labels: { ...FRA, result: 'delayed' },
    summary: 'Lines of the audit record of fra1 are delayed',
    alike: { 'gpu_provision_audit_lines_total{site="fra1", result="written"}': '0+1x300' },
  },
  GpuProvisionNoWorker: {
    series: {
      'up{job="gpu-provision", instance="a"}': '1+0x9 0+0x60',
      'up{job="gpu-provision", instance="b"}': '1+0x5 0+0x60',
    },
    silentAt: 14,
    firesAt: 15,
    summary: 'No worker of gpu-provision is up',
    alike: {
      'up{job="gpu-provision", instance="a"}': '1+0x300',
      'up{job="gpu-provision", instance="b"}': '0+0x300',
    },
  },
  GpuProvisionGaugesStale: {
    series: { 'gpu_provision_collected_timestamp_seconds{site="fra1", instance="a"}': '0+60x10 600+0x60' },
    silentAt: 15,
    firesAt: 16,
    labels: FRA,
    summary: 'Open runs of fra1 have not been counted for 6m 0s',
    alike: {
      'gpu_provision_collected_timestamp_seconds{site="fra1", instance="a"}': '0+0x300',
      'gpu_provision_collected_timestamp_seconds{site="fra1", instance="b"}': '0+60x300',
    },
  },
  GpuProvisionSlotsUsedUp: {
    series: { [slots('fra1', 'a')]: '5+0x5 0+0x60', [slots('fra1', 'b')]: '0+0x60' },
    silentAt: 14,
    firesAt: 15,
    labels: { task_queue: 'fra1' },
    summary: 'Workers of fra1 have no slot free',
    alike: { [slots('fra1', 'a')]: '1+0x300' },
  },
};

function slots(queue: string, instance: string): string {
  const labels = { job: 'gpu-provision', task_queue: queue, worker_type: 'ActivityWorker', instance };
  const matchers = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return `temporal_worker_task_slots_available{${matchers.join(', ')}}`;
}

interface Rule {
  readonly alert: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly description: string };
}
type Rules = { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };

describeWith('the alerts, by promtool', ['promtool'], 'prometheus', () => {
  let folder: string;
  let shipped: Rules;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'alerts-'));
    shipped = parse(await readFile(RULES, 'utf8')) as Rules;
  });
  afterAll(() => rm(folder, { recursive: true }));

  const all = (rules: Rules): readonly Rule[] => rules.groups.flatMap((group) => group.rules);

  function alertIn(rules: Rules, name: string): Rule {
    const rule = all(rules).find(({ alert }) => alert === name);
    if (rule === undefined) throw new Error(`no alert ${name}`);
    return rule;
  }

  /** What Prometheus finds wrong when one rule is played through its case; empty when it is as the case says. */
  async function play(name: string, rule: Rule): Promise<string> {
    const { series, silentAt, firesAt, overAt, labels, summary, alike } = CASES[name] as Case;
    const expected = {
      exp_labels: { ...rule.labels, ...labels },
      exp_annotations: { ...rule.annotations, summary },
    };
    const at = (minute: number, alerts: readonly object[]): object => ({
      eval_time: `${minute}m`,
      alertname: name,
      exp_alerts: alerts,
    });
    const test = (input: Series, checks: readonly object[]): object => ({
      interval: '1m',
      input_series: Object.entries(input).map(([line, values]) => ({ series: line, values })),
      alert_rule_test: checks,
    });
    const rulesFile = join(folder, `${name}.rules.yaml`);
    const testFile = join(folder, `${name}.test.yaml`);
    await writeFile(rulesFile, stringify({ groups: [{ name: 'one', rules: [rule] }] }));
    await writeFile(
      testFile,
      stringify({
        rule_files: [rulesFile],
        evaluation_interval: '1m',
        tests: [
          test(series, [at(silentAt, []), at(firesAt, [expected]), ...(overAt === undefined ? [] : [at(overAt, [])])]),
          test(alike, [at(firesAt, []), at(300, [])]),
        ],
      }),
    );
    return promtool(['test', 'rules', testFile]);
  }

  async function promtool(words: readonly string[]): Promise<string> {
    try {
      await promisify(execFile)('promtool', words);
      return '';
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      return `${stdout}${stderr}`;
    }
  }

  it('are rules that Prometheus takes', async () => {
    expect(await promtool(['check', 'rules', '--lint=all', '--lint-fatal', RULES])).toBe('');
  });

  it('are all tried here', () => {
    expect(all(shipped).map(({ alert }) => alert)).toEqual(Object.keys(CASES));
  });

  it.each(Object.keys(CASES))('%s fires in its time, and not for what looks alike', async (name) => {
    expect(await play(name, alertIn(shipped, name))).toBe('');
  });

  it('that do not wait as long as they say would be found', async () => {
    const patient = all(shipped).filter((rule) => rule.for !== undefined);
    expect(patient.length).toBeGreaterThan(0);
    for (const { for: _, ...hasty } of patient) expect(await play(hasty.alert, hasty)).toContain(hasty.alert);
  });

  it('no worker is also what Prometheus has never heard of', async () => {
    const rule = alertIn(shipped, 'GpuProvisionNoWorker');
    const testFile = join(folder, 'absent.test.yaml');
    const expected = {
      exp_labels: { ...rule.labels, job: 'gpu-provision' },
      exp_annotations: rule.annotations,
    };
    await writeFile(
      testFile,
      stringify({
        rule_files: [RULES],
        evaluation_interval: '1m',
        tests: [
          {
            interval: '1m',
            input_series: [],
            alert_rule_test: [{ eval_time: '5m', alertname: rule.alert, exp_alerts: [expected] }],
          },
        ],
      }),
    );
    expect(await promtool(['test', 'rules', testFile])).toBe('');
  });
});
