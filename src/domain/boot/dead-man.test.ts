import { describe, expect, it } from 'vitest';
import { renderDeadManScript } from './dead-man.js';

describe('the dead-man script', () => {
  it('waits for no disk before it reboots: one that hangs is a reason to reboot', () => {
    const words = renderDeadManScript(1_800)
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.trim().split(' ')[0]);
    expect(words).not.toContain('sync');
    expect(words.filter((word) => word === 'systemctl' || word === 'echo').at(-2)).toBe('systemctl');
  });
});
