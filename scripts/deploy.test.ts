/**
 * What deploy/ says against what is there: expressions by Prometheus's own grammar, metrics by the table in the code, files by the repository.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
import { parseSync } from 'oxc-parser';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { dashboardCheck } from '../lab/tools/dashboard-check.js';
import { METRICS } from '../src/domain/run/metrics.js';
import { QUESTION_RULES } from '../src/domain/run/questions.js';
import { SDK_METRICS } from '../test/support/sdk-metrics.js';
import { describeWith } from '../test/support/skip-unless.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/; no key besides. */
const rulesSchema = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string().min(1),
      rules: z
        .array(
          z.strictObject({
            alert: z.string().regex(/^[A-Z][A-Za-z]+$/),
            expr: z.string().min(1),
            for: z
              .string()
              .regex(/^\d+[smhd]$/)
              .optional(),
            labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
            annotations: z.strictObject({ summary: z.string().min(1), description: z.string().min(1) }),
          }),
        )
        .min(1),
    }),
  ),
});

/** What the tests look at; all of it is judged by Grafana's own schema. */
const dashboardSchema = z.object({
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
  panels: z.array(
    z.object({
      id: z.int(),
      title: z.string().min(1),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      targets: z.array(z.object({ expr: z.string().min(1), datasource: z.object({ uid: z.string() }) })).min(1),
    }),
  ),
});

const rules = (): z.infer<typeof rulesSchema>['groups'][number]['rules'] =>
  rulesSchema.parse(parse(read('deploy/prometheus/rules.yaml'))).groups.flatMap((group) => group.rules);
const dashboard = (): z.infer<typeof dashboardSchema> =>
  dashboardSchema.parse(JSON.parse(read('deploy/grafana/gpu-provision.json')));

/** Every name of an instant or range vector, and the label matchers on it. Throws SyntaxError. */
function vectorsOf(expression: string): { name: string; labels: readonly string[] }[] {
  // What Grafana puts in.
  const text = expression.replaceAll('$__rate_interval', '5m').replaceAll('$site', '.*');
  const vectors: { name: string; labels: string[] }[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new SyntaxError(`at ${from}: ${text.slice(Math.max(0, from - 20), to + 20)}`);
      if (type.name === 'Identifier') vectors.push({ name: text.slice(from, to), labels: [] });
      if (type.name === 'LabelName') vectors.at(-1)?.labels.push(text.slice(from, to));
    },
  });
  return vectors;
}

/** As scraped; a histogram is three. */
const KNOWN = new Set<string>([
  'up',
  ...[
    ...Object.entries(METRICS).map(([name, { kind }]) => ({ name, kind: kind as string })),
    ...SDK_METRICS.map((name) => ({ name, kind: name.endsWith('_seconds') ? 'histogram' : 'gauge' })),
  ].flatMap(({ name, kind }) =>
    kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => `${name}${end}`) : [name],
  ),
]);

function unknownIn(expression: string): readonly string[] {
  return vectorsOf(expression)
    .map(({ name }) => name)
    .filter((name) => !KNOWN.has(name));
}

describe('the grammar', () => {
  it.each(['sum by (site (up)', 'up{job="x"', 'up > ', 'rate(up[5 minutes])'])('refuses %s', (expression) => {
    expect(() => vectorsOf(expression)).toThrow(SyntaxError);
  });

  it('finds a metric that is not there', () => {
    expect(unknownIn('max(gpu_provision_questions) / sum(rate(gpu_provision_phase_duration_seconds[5m]))')).toEqual([
      'gpu_provision_questions',
      'gpu_provision_phase_duration_seconds',
    ]);
  });
});

describe('the alert rules', () => {
  it.each(rules().map(({ alert, expr }) => [alert, expr] as const))(
    '%s parses, and names metrics that exist',
    (_, expr) => {
      expect(unknownIn(expr)).toEqual([]);
    },
  );

  it('name questions that exist, by labels that their metrics have', () => {
    for (const { expr } of rules()) {
      for (const [, kinds = ''] of expr.matchAll(/question=~?"([^"]+)"/g)) {
        for (const kind of kinds.split('|')) expect(Object.keys(QUESTION_RULES)).toContain(kind);
      }
    }
    expect(rules().map(({ alert }) => alert)).toEqual([...new Set(rules().map(({ alert }) => alert))]);
  });

  it('describe no label that their expression has lost', () => {
    for (const { alert, expr, annotations } of rules()) {
      const kept = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/, */));
      const used = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, name]) => name);
      for (const name of used) expect(kept, alert).toContain(name);
    }
  });
});

describe('the dashboard', () => {
  const targets = dashboard().panels.flatMap(({ title, targets: all }) =>
    all.map(({ expr }) => [title, expr] as const),
  );
  it.each(targets)('%s parses, and names metrics that exist', (_, expr) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  describe("by Grafana's own schema", () => {
    const BUILD_LIMIT_MS = 15 * 60_000;
    const file = read('deploy/grafana/gpu-provision.json');
    let program: string;
    beforeAll(async () => {
      program = await dashboardCheck();
    }, BUILD_LIMIT_MS);

    const complaints = (dashboardFile: string): string =>
      spawnSync(program, { input: dashboardFile, encoding: 'utf8' }).stdout.trim();

    it('has every field that there must be, and no other', () => {
      expect(complaints(file)).toBe('');
    });

    it.each([
      ['a field that no dashboard has', '"refresh"', '"refrsh"', "unexpected field 'refrsh'"],
      ['a field that no query of Prometheus has', '"expr"', '"exprs"', "unexpected field 'exprs'"],
      ['an option that a panel lacks', '"textMode": "auto",', '', 'options.textMode: required field is missing'],
      ['a text where a number belongs', '"schemaVersion": 39', '"schemaVersion": "39"', 'schemaVersion: json:'],
    ])('would not have %s', (_, there, instead, complaint) => {
      expect(complaints(file.replace(there, instead))).toContain(complaint);
    });
  });

  it('has panels that do not cover each other, within its 24 columns', () => {
    const { panels } = dashboard();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  it('takes its data from the source that is chosen, of the sites that are chosen', () => {
    const { templating, panels } = dashboard();
    expect(templating.list.map(({ name }) => name)).toEqual(['datasource', 'site']);
    for (const { expr, datasource } of panels.flatMap((panel) => panel.targets)) {
      expect(datasource.uid).toBe('${datasource}');
      expect(/gpu_provision_/.test(expr)).toBe(expr.includes('site=~"$site"'));
    }
  });

  it('shows every metric of ours', () => {
    const text = JSON.stringify(dashboard());
    for (const name of Object.keys(METRICS)) expect(text).toContain(name);
    for (const name of Object.keys(METRICS)) expect(read('docs/monitoring.md')).toContain(`\`${name}\``);
  });
});

describe('the Dockerfile', () => {
  const lines = read('deploy/Dockerfile').split('\n');

  it('copies what is there, and what .dockerignore lets through', () => {
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(copied.length).toBeGreaterThan(0);
    for (const path of copied) expect(existsSync(join(ROOT, path)), path).toBe(true);
    expect(
      read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    ).toEqual(expect.arrayContaining(copied));
  });

  it('leaves behind only packages that nothing of the product imports', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Readonly<Record<string, string>> };
    const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    for (const file of files) {
      for (const specifier of runtimeImports(file, read(`src/${file}`))) {
        const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[1] ?? specifier;
        expect(Object.keys(dependencies), `src/${file} imports ${specifier}`).toContain(name);
      }
    }
  });

  it('runs as a user that is not root, on glibc', () => {
    expect(lines).toContain('USER 1000:1000');
    expect(lines.find((line) => line.startsWith('ARG NODE='))).toMatch(/node:22-bookworm-slim$/);
  });
});

/** Packages, without types and those of Node. */
function runtimeImports(file: string, source: string): readonly string[] {
  return parseSync(file, source)
    .module.staticImports.filter(({ entries }) => entries.length === 0 || entries.some(({ isType }) => !isType))
    .map(({ moduleRequest }) => moduleRequest.value)
    .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'));
}

describeWith('the systemd unit', ['systemd-analyze'], 'systemd', () => {
  const unit = join(ROOT, 'deploy/systemd/gpu-provision-worker.service');

  it('is hardened as systemd judges it', () => {
    const text = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], {
      encoding: 'utf8',
    });
    const [, exposure = ''] = /Overall exposure level[^:]*: ([\d.]+)/.exec(text) ?? [];
    expect(Number(exposure), text).toBeLessThan(2);
    expect(exposure).not.toBe('');
  });

  it('has no word that systemd does not know', () => {
    // Programs and users that are not on this machine are said too; what is wrong with the file names its line.
    const said = execFileSync('sh', ['-c', 'systemd-analyze verify "$1" 2>&1 || true', 'sh', unit], {
      encoding: 'utf8',
    });
    expect(said.split('\n').filter((line) => /gpu-provision-worker\.service:\d+:/.test(line))).toEqual([]);
  });
});
