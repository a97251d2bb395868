import { describe, expect, it } from 'vitest';
import { ApplicationFailure } from '@temporalio/common';
import type { LogEntry } from '@temporalio/worker';
import { redactor } from './adapters/secrets/index.js';
import { logLine } from './worker-log.js';

const SECRET = 'hunter2-hunter2-hunter2';
redactor.remember(SECRET);

function entry(message: string, meta?: LogEntry['meta']): LogEntry {
  return {
    level: 'WARN',
    timestampNanos: 1_764_000_000_123_000_000n,
    message,
    ...(meta === undefined ? {} : { meta }),
  };
}
const parsed = (line: string): unknown => JSON.parse(line);

/** As the SDK passes it for an activity that failed. */
const ACTIVITY = {
  isLocal: false,
  attempt: 3,
  namespace: 'default',
  taskToken: 'CiQ…',
  workflowId: 'provision/h100-01',
  runId: '0198c0de',
  workflowType: 'provisionServer',
  activityId: '12',
  activityType: 'k3s.install.undo',
  taskQueue: 'fra1.host',
  sdkComponent: 'worker',
};

describe('a line of the log in JSON', () => {
  it('says of an activity which server, run, phase, step and attempt it is, and why it failed', () => {
    const error = ApplicationFailure.create({ type: 'CommandFailed', message: `k3s said ${SECRET}` });
    const line = logLine(entry('Activity failed', { ...ACTIVITY, error }), 'json');
    expect(line).toMatch(/^\{.*\}\n$/);
    expect(line).not.toContain(SECRET);
    expect(parsed(line)).toEqual({
      at: '2025-11-24T16:00:00.123Z',
      level: 'WARN',
      message: 'Activity failed',
      server: 'h100-01',
      run: '0198c0de',
      phase: 'k3s',
      step: 'k3s.install.undo',
      attempt: 3,
      component: 'worker',
      error: { type: 'CommandFailed', message: 'k3s said [redacted]', stack: expect.any(String) },
      taskQueue: 'fra1.host',
    });
  });

  it('says of a workflow in which phase it is, and what kind of event', () => {
    const meta = { workflowId: 'provision/h100-01', runId: 'r', server: 'h100-01', phase: 'k3s', kind: 'gate' };
    expect(parsed(logLine(entry('asks', meta), 'json'))).toMatchObject({
      server: 'h100-01',
      phase: 'k3s',
      kind: 'gate',
    });
  });

  it('of what belongs to no run has no field that it lacks', () => {
    expect(parsed(logLine(entry('starting'), 'json'))).toEqual({
      at: '2025-11-24T16:00:00.123Z',
      level: 'WARN',
      message: 'starting',
    });
  });

  it.each(['a\nb', 'a\r\nb', 'a\u2028b', '\u001b[2Jb', `${'x'.repeat(10)}\u0000`])(
    'stays one line, and acts on no terminal: %j',
    (message) => {
      const line = logLine(entry(message, { note: message }), 'json');
      expect(line.trimEnd().split(/[\n\r\u2028\u2029]/)).toHaveLength(1);
      expect(line).not.toContain('\u001b');
      expect(parsed(line)).toMatchObject({ message, note: message });
    },
  );
});

describe('a line of the log as text', () => {
  it('has the same, for people; further lines are indented', () => {
    const line = logLine(entry(`first\n2026-01-01T00:00:00Z [INFO] forged ${SECRET}`, { attempt: 3 }), 'text');
    expect(line).toBe(
      '2025-11-24T16:00:00.123Z [WARN] first\n  2026-01-01T00:00:00Z [INFO] forged [redacted] { attempt: 3 }\n',
    );
  });
});
