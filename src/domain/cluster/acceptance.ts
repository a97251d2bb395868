/**
 * The GPU job: its object, its output, and the verdict.
 * @module
 */
import type { GpuSpec, NestedSpec } from '../spec.js';
import { ACCEPTANCE_PROGRAM } from './acceptance-program.js';
import { NESTED_GPU_RESOURCE } from './nested.js';
import { at, jsonOrNull, textAt, type KubeObject } from './objects.js';

/** PyTorch with its own CUDA libraries; 3 GB. Any image with python3 and torch for CUDA will do. */
export const ACCEPTANCE_IMAGE = 'docker.io/pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime';
export const ACCEPTANCE_JOB = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  namespace: 'default',
  name: 'gpu-provision-acceptance',
} as const;
/** Pulling the image takes minutes on a slow line, the measurements one. */
const DEADLINE_SECONDS = 30 * 60;
/** The finished job stays a day, for its log. */
const KEPT_SECONDS = 24 * 60 * 60;
/** More lines than eight GPUs and their pairs print. */
export const ACCEPTANCE_LOG_LINES = 200;

/** One pod per nested node, each with all GPUs of its node. */
export function acceptanceJob(nested: NestedSpec): KubeObject {
  const { apiVersion, kind, namespace, name } = ACCEPTANCE_JOB;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec: {
      completions: nested.nodes,
      parallelism: nested.nodes,
      completionMode: 'Indexed',
      backoffLimit: 0,
      activeDeadlineSeconds: DEADLINE_SECONDS,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        spec: {
          restartPolicy: 'Never',
          tolerations: [{ key: NESTED_GPU_RESOURCE, operator: 'Exists', effect: 'NoSchedule' }],
          containers: [
            {
              name: 'acceptance',
              image: ACCEPTANCE_IMAGE,
              command: ['python3', '-c', ACCEPTANCE_PROGRAM],
              resources: { limits: { [NESTED_GPU_RESOURCE]: String(nested.gpusPerNode) } },
              // PyTorch pins host memory; the default /dev/shm of 64 MiB is too small for that.
              volumeMounts: [{ name: 'shm', mountPath: '/dev/shm' }],
            },
          ],
          volumes: [{ name: 'shm', emptyDir: { medium: 'Memory' } }],
        },
      },
    },
  };
}

/** Measured on one GPU. GB/s are 10^9 bytes per second. */
export interface GpuFigures {
  readonly uuid: string;
  readonly name: string;
  readonly copyGBps: number;
  readonly bf16Tflops: number;
  readonly hostToDeviceGBps: number;
  readonly deviceToHostGBps: number;
  /** Whether the results of copy and multiplication were right. */
  readonly right: boolean;
}

export interface JobOutput {
  readonly gpus: readonly GpuFigures[];
  readonly peers: readonly { readonly from: number; readonly to: number; readonly GBps: number }[];
  readonly errors: readonly { readonly code: number; readonly message: string }[];
}

/** Reads the program's JSON lines; other lines (an image's banner) are passed over. */
export function parseJobOutput(log: string): JobOutput {
  const gpus: GpuFigures[] = [];
  const peers: JobOutput['peers'][number][] = [];
  const errors: JobOutput['errors'][number][] = [];
  for (const line of log.split('\n').slice(-ACCEPTANCE_LOG_LINES)) {
    const value = line.startsWith('{') ? jsonOrNull(line) : null;
    if (value === null) continue;
    const figures = figuresOf(value);
    const [from, to, rate] = [at(value, 'peer', 0), at(value, 'peer', 1), at(value, 'GBps')];
    const code = at(value, 'error', 'code');
    if (figures !== null) gpus.push(figures);
    else if (isFigure(from) && isFigure(to) && isFigure(rate)) peers.push({ from, to, GBps: rate });
    else if (isFigure(code)) errors.push({ code, message: textAt(value, 'error', 'message') ?? '' });
  }
  return { gpus, peers, errors };
}

/** Beyond what any GPU reaches in any of our units. */
const HIGHEST_FIGURE = 1_000_000;
const isFigure = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= HIGHEST_FIGURE;

function figuresOf(value: unknown): GpuFigures | null {
  const uuid = textAt(value, 'uuid');
  const name = textAt(value, 'name');
  const number = (key: string): number => {
    const found = at(value, key);
    return isFigure(found) ? found : Number.NaN;
  };
  const figures = {
    copyGBps: number('copy_GBps'),
    bf16Tflops: number('bf16_TFLOPS'),
    hostToDeviceGBps: number('h2d_GBps'),
    deviceToHostGBps: number('d2h_GBps'),
  };
  if (uuid === null || name === null || Object.values(figures).some(Number.isNaN)) return null;
  return { uuid, name, ...figures, right: at(value, 'right') === true };
}

export type Measure = 'copyGBps' | 'bf16Tflops' | 'hostToDeviceGBps' | 'deviceToHostGBps';

export interface GpuMinimums {
  readonly model: string;
  readonly least: Readonly<Record<Measure, number>>;
}

/**
 * What a healthy GPU reaches inside a VM, by PCI id. Measured on H100 SXM5 with passthrough: copy 3,016 GB/s, bf16 8192^3 778 TFLOPS,
 * pinned host copies 53 GB/s. The minimums leave room for a warm or power-capped card, and still catch a link that came up at half its
 * width or speed (26 GB/s) and memory that is throttled.
 */
const MINIMUMS: Readonly<Record<string, GpuMinimums>> = {
  '10de:2330': {
    model: 'H100 SXM5 80GB',
    least: { copyGBps: 2_700, bf16Tflops: 550, hostToDeviceGBps: 40, deviceToHostGBps: 40 },
  },
};

export const minimumsOf = (gpuId: string): GpuMinimums | null => MINIMUMS[gpuId] ?? null;

export const UNITS: Readonly<Record<Measure, { readonly label: string; readonly unit: string }>> = {
  copyGBps: { label: 'memory copy', unit: 'GB/s' },
  bf16Tflops: { label: 'bf16 GEMM', unit: 'TFLOPS' },
  hostToDeviceGBps: { label: 'host to device', unit: 'GB/s' },
  deviceToHostGBps: { label: 'device to host', unit: 'GB/s' },
};

export interface Verdict {
  /** Distinct GPUs that ran, gave right results and reached every minimum. */
  readonly proven: number;
  readonly total: number;
  /** One line each; empty when every GPU that was expected is proven. */
  readonly problems: readonly string[];
}

/** Judges the output of all pods together. `expected`: GPUs the job could reach; `total`: GPUs of the server. */
export function judge(outputs: readonly JobOutput[], gpus: GpuSpec, expected: number): Verdict {
  const minimums = minimumsOf(gpus.id);
  const problems: string[] = [];
  const proven = new Set<string>();
  for (const { errors } of outputs) problems.push(...errors.map(explainError));
  for (const figures of outputs.flatMap((output) => output.gpus)) {
    const wrong = [
      ...(figures.right ? [] : ['its results are wrong']),
      ...(minimums === null ? [] : below(figures, minimums)),
    ];
    if (wrong.length === 0) proven.add(figures.uuid);
    else problems.push(`${figures.uuid} (${figures.name}): ${wrong.join(', ')}`);
  }
  if (problems.length === 0 && proven.size !== expected)
    problems.push(`${proven.size} GPUs ran, the nested nodes offer ${expected}`);
  return { proven: proven.size, total: gpus.addresses.length, problems };
}

function below(figures: GpuFigures, minimums: GpuMinimums): readonly string[] {
  const measures: readonly Measure[] = ['copyGBps', 'bf16Tflops', 'hostToDeviceGBps', 'deviceToHostGBps'];
  return measures
    .filter((measure) => figures[measure] < minimums.least[measure])
    .map((measure) => {
      const { label, unit } = UNITS[measure];
      return `${label} ${figures[measure]} ${unit}, at least ${minimums.least[measure]} expected of ${minimums.model}`;
    });
}

/** CUDA_ERROR_SYSTEM_NOT_READY. */
const FABRIC_NOT_READY = 802;

export function explainError({ code, message }: { readonly code: number; readonly message: string }): string {
  if (code !== FABRIC_NOT_READY) return `the program failed${code === 0 ? '' : ` with CUDA error ${code}`}: ${message}`;
  return 'CUDA error 802: the GPUs wait for their NVLink fabric, which no fabric manager sets up in this VM. The nested GPU Operator must load the driver with NVreg_NvLinkDisable=1 (Cozystack 1.5 does by its kernelModuleConfig)';
}

/** `copy 3012-3021 GB/s (min 2700), GEMM 768-778 TFLOPS (min 550)`. */
export function describeFigures(figures: readonly GpuFigures[], gpuId: string): string {
  const least = minimumsOf(gpuId)?.least;
  const part = (label: string, measure: Measure): string => {
    const values = figures.map((gpu) => Math.round(gpu[measure]));
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const span = low === high ? String(low) : `${low}-${high}`;
    return `${label} ${span} ${UNITS[measure].unit}${least === undefined ? '' : ` (min ${least[measure]})`}`;
  };
  return figures.length === 0 ? 'no figures' : [part('copy', 'copyGBps'), part('GEMM', 'bf16Tflops')].join(', ');
}
