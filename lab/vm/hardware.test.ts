import { describe, expect, it } from 'vitest';
import { GPU_ADDRESSES, qemuArguments } from './hardware.js';

describe('the virtual server', () => {
  it('has each GPU behind a bridge of its own, one bus below', () => {
    const devices = qemuArguments({
      firmware: 'bios',
      serial: 'S',
      disk: 'd',
      nvram: 'n',
      sshPort: 1,
      qmp: 'q',
      consolePort: 2,
      consoleLog: 'l',
    }).filter((argument) => argument.startsWith('pxb-pcie'));
    const buses = devices.map((device) => Number(/bus_nr=(\d+)/.exec(device)?.[1]) + 1);
    expect(buses.map((bus) => `0000:${bus.toString(16).padStart(2, '0')}:00.0`)).toEqual(GPU_ADDRESSES);
    expect(new Set(devices.map((device) => /addr=(\w+)/.exec(device)?.[1])).size).toBe(8);
  });
});
