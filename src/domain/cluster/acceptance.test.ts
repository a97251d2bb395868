import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import { acceptanceJob, describeFigures, explainError, judge, parseJobOutput } from './acceptance.js';

const { gpus } = serverSpec();

/** Printed by the program on a real H100 SXM5. */
const REAL =
  '{"gpu": 0, "uuid": "GPU-39e2c4c6-8a85-8fff-be83-0c591fe291ec", "name": "NVIDIA H100 80GB HBM3", "memory_GiB": 79.2, "copy_GBps": 3017.5, "bf16_TFLOPS": 715.3, "h2d_GBps": 54.6, "d2h_GBps": 54.9, "right": true}';

const line = (change: Record<string, unknown> = {}): string =>
  JSON.stringify({ ...(JSON.parse(REAL) as object), ...change });

describe('the output of the GPU job', () => {
  it('of a real H100 is read and passes', () => {
    const output = parseJobOutput(`==========\n== PyTorch ==\n${REAL}\n`);
    expect(output.gpus).toEqual([
      {
        uuid: 'GPU-39e2c4c6-8a85-8fff-be83-0c591fe291ec',
        name: 'NVIDIA H100 80GB HBM3',
        copyGBps: 3017.5,
        bf16Tflops: 715.3,
        hostToDeviceGBps: 54.6,
        deviceToHostGBps: 54.9,
        right: true,
      },
    ]);
    expect(judge([output], gpus, 1)).toEqual({ proven: 1, total: 8, problems: [] });
  });

  it('keeps peers and errors apart, and passes over what is cut or foreign', () => {
    const log = [
      '{"peer": [0, 1], "GBps": 394.4}',
      '{"error": {"code": 802, "message": "m"}}',
      REAL.slice(0, 60),
      '{}',
    ];
    expect(parseJobOutput(log.join('\n'))).toEqual({
      gpus: [],
      peers: [{ from: 0, to: 1, GBps: 394.4 }],
      errors: [{ code: 802, message: 'm' }],
    });
  });
});

describe('the verdict', () => {
  it.each([
    ['slow memory', { copy_GBps: 1480 }, 'memory copy 1480 GB/s, at least 2700 expected of H100 SXM5 80GB'],
    ['a slow multiplication', { bf16_TFLOPS: 301.5 }, 'bf16 GEMM 301.5 TFLOPS, at least 550 expected'],
    ['a link of half the width', { h2d_GBps: 26.1 }, 'host to device 26.1 GB/s, at least 40 expected'],
    ['wrong results', { right: false }, 'its results are wrong'],
  ])('does not prove a GPU with %s', (_case, change, text) => {
    const { proven, problems } = judge([parseJobOutput(line(change))], gpus, 1);
    expect(proven).toBe(0);
    expect(problems).toEqual([expect.stringContaining(text)]);
  });

  it('counts each GPU once, however many pods report it', () => {
    const output = parseJobOutput(REAL);
    expect(judge([output, output], gpus, 2)).toMatchObject({
      proven: 1,
      problems: ['1 GPUs ran, the nested nodes offer 2'],
    });
  });

  it('is a problem when nothing was printed at all', () => {
    expect(judge([parseJobOutput('')], gpus, 2).problems).toEqual(['0 GPUs ran, the nested nodes offer 2']);
  });

  it('has nothing to measure a GPU of an unknown model against, and proves that it ran', () => {
    const other = { ...gpus, id: '10de:2335' };
    expect(judge([parseJobOutput(line({ copy_GBps: 100 }))], other, 1)).toMatchObject({ proven: 1, problems: [] });
  });

  it('explains error 802 as the fabric', () => {
    expect(explainError({ code: 802, message: 'system not yet initialized' })).toContain('NVreg_NvLinkDisable=1');
    expect(explainError({ code: 0, message: 'No CUDA GPUs are available' })).toBe(
      'the program failed: No CUDA GPUs are available',
    );
  });

  it('is summed up with spans and minimums', () => {
    const output = parseJobOutput(`${line()}\n${line({ uuid: 'GPU-2', copy_GBps: 3021, bf16_TFLOPS: 768.8 })}`);
    expect(describeFigures(output.gpus, gpus.id)).toBe('copy 3018-3021 GB/s (min 2700), GEMM 715-769 TFLOPS (min 550)');
  });
});

describe('the GPU job', () => {
  it('has one pod per nested node, each with every GPU of its node', () => {
    const nested = {
      name: 'main',
      tenant: 'workload',
      nodes: 2,
      cpu: 8,
      memory: '64Gi',
      disk: '200Gi',
      gpusPerNode: 4,
    };
    const job = acceptanceJob(nested);
    expect(job['spec']).toMatchObject({ completions: 2, parallelism: 2, backoffLimit: 0 });
    expect(JSON.stringify(job)).toContain('"limits":{"nvidia.com/gpu":"4"}');
  });
});
