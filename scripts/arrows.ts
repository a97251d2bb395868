/**
 * Which part of the tree may import which. `domain` and `workflows` run in Temporal's sandbox, so nothing of Node may reach them;
 * activities know ports and never adapters, so that tests and the lab can stand behind the same ports.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { parseSync } from 'oxc-parser';

interface Layer {
  readonly name: string;
  /** Files of the layer, relative to the root. */
  readonly files: RegExp;
  /** Layers it may import besides itself. `all` is for the places that wire everything. */
  readonly imports: readonly string[] | 'all';
  /** Layers of which it may import types. */
  readonly types?: readonly string[];
  /** Packages it may import, `node:` included; left out, any. Types may come from anywhere. */
  readonly packages?: readonly RegExp[];
}

export const LAYERS: readonly Layer[] = [
  { name: 'domain', files: /^src\/domain\//, imports: [], packages: [] },
  {
    name: 'workflows',
    files: /^src\/workflows\//,
    imports: ['domain'],
    types: ['activities'],
    packages: [/^@temporalio\/(workflow|common)$/],
  },
  { name: 'ports', files: /^src\/ports\//, imports: ['domain'], packages: [] },
  // What code that does something asks for a span; it does nothing where no SDK is set up, which is the part below.
  {
    name: 'spans',
    files: /^src\/tracing\/(span|attributes)\.ts$/,
    imports: [],
    packages: [/^@opentelemetry\/api$/],
  },
  { name: 'tracing', files: /^src\/tracing\//, imports: ['domain', 'secrets', 'spans'] },
  { name: 'activities', files: /^src\/activities\//, imports: ['domain', 'ports', 'spans'] },
  // Apart from the other adapters, because clients read secrets too, and whatever prints takes them out.
  { name: 'secrets', files: /^src\/adapters\/secrets\//, imports: ['domain', 'ports'] },
  // Apart for the same reason: whoever makes a report reads what workers kept for it.
  { name: 'artifacts', files: /^src\/adapters\/artifacts\//, imports: ['domain', 'ports', 'spans'] },
  { name: 'adapters', files: /^src\/adapters\//, imports: ['domain', 'ports', 'spans'] },
  { name: 'inventory', files: /^src\/inventory\//, imports: ['domain'] },
  { name: 'codec', files: /^src\/codec\//, imports: ['domain', 'ports', 'secrets'] },
  { name: 'client', files: /^src\/client(\/|\.ts$)/, imports: ['codec', 'domain', 'spans', 'tracing'] },
  {
    name: 'cli',
    files: /^src\/cli\//,
    imports: ['artifacts', 'client', 'codec', 'domain', 'inventory', 'secrets', 'tracing', 'wiring'],
  },
  // The worker, the workflow bundle and where it is.
  { name: 'wiring', files: /^src\/[^/]+\.ts$/, imports: 'all' },
  { name: 'lab', files: /^lab\//, imports: ['domain', 'inventory', 'client'] },
];

export interface Violation {
  /** `src/domain/a.ts:3` */
  readonly where: string;
  readonly why: string;
}

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly offset: number;
}

/** Violations of one file. `file` is relative to the root, with `/`. Tests may import what they like. */
export function violationsOf(file: string, source: string): readonly Violation[] {
  const layer = layerOf(file);
  if (layer === undefined || file.endsWith('.test.ts')) return [];
  return importsOf(file, source).flatMap(({ specifier, typeOnly, offset }) => {
    const reason = reasonAgainst(layer, file, specifier, typeOnly);
    if (reason === null) return [];
    return [{ where: `${file}:${source.slice(0, offset).split('\n').length}`, why: reason }];
  });
}

/** Violations of every file below `root`, and a violation when a layer has lost its files. */
export function violationsIn(root: string): readonly Violation[] {
  const files = ['src', 'lab'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  const empty = LAYERS.filter((layer) => !files.some((file) => layerOf(file) === layer));
  return [
    ...files.flatMap((file) => violationsOf(file, readFileSync(join(root, file), 'utf8'))),
    ...empty.map(({ name, files: pattern }) => ({ where: name, why: `no file matches ${String(pattern)}` })),
  ];
}

function layerOf(file: string): Layer | undefined {
  return LAYERS.find(({ files }) => files.test(file));
}

function importsOf(file: string, source: string): readonly Import[] {
  const { module, errors } = parseSync(file, source);
  const error = errors[0];
  if (error !== undefined) throw new SyntaxError(`${file}: ${error.message}`);
  return [
    ...module.staticImports.map(({ moduleRequest, entries, start }) => ({
      specifier: moduleRequest.value,
      typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
      offset: start,
    })),
    ...module.staticExports.flatMap(({ entries, start }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest === null ? [] : [{ specifier: moduleRequest.value, typeOnly: isType, offset: start }],
      ),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
      specifier: source.slice(start, end).replaceAll(/^['"`]|['"`]$/g, ''),
      typeOnly: false,
      offset: start,
    })),
  ];
}

function reasonAgainst(layer: Layer, file: string, specifier: string, typeOnly: boolean): string | null {
  if (!specifier.startsWith('.')) {
    if (typeOnly || layer.packages === undefined || layer.packages.some((allowed) => allowed.test(specifier)))
      return null;
    const what = specifier.startsWith('node:') || builtinModules.includes(specifier) ? 'of Node' : 'a package';
    return `${layer.name} may not import ${specifier} (${what})`;
  }
  const target = relative('.', join(dirname(file), specifier)).replace(/\.js$/, '.ts');
  const other = layerOf(target);
  if (other === layer) return null;
  if (other === undefined) return `${layer.name} may not import ${target}, which belongs to no layer`;
  if (layer.imports === 'all' || layer.imports.includes(other.name)) return null;
  if (typeOnly && layer.types?.includes(other.name) === true) return null;
  return `${layer.name} may not import ${other.name} (${target})`;
}
