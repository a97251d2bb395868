import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { qmp } from './qmp.js';

let server: Server | undefined;
let folder: string | undefined;
afterEach(async () => {
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
  if (folder !== undefined) await rm(folder, { recursive: true });
  server = undefined;
  folder = undefined;
});

/** A monitor that greets, and answers each command as given. */
async function monitor(answer: (command: string, socket: Socket) => object | null): Promise<string> {
  folder = await mkdtemp(join(tmpdir(), 'gpu-provision-qmp-'));
  const path = join(folder, 'qmp.sock');
  server = createServer((socket) => {
    socket.write('{"QMP":{"version":{},"capabilities":[]}}\r\n');
    createInterface({ input: socket }).on('line', (line) => {
      const { execute, id } = JSON.parse(line) as { execute: string; id?: string };
      const said = execute === 'qmp_capabilities' ? { return: {} } : answer(execute, socket);
      if (said !== null) socket.write(`${JSON.stringify({ ...said, id })}\r\n`);
    });
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return path;
}

describe('a command to QEMU', () => {
  it('gives its value, past events that come first', async () => {
    const path = await monitor((_, socket) => {
      socket.write('{"event":"RESET","data":{"guest":true}}\r\n');
      return { return: { running: true } };
    });
    expect(await qmp(path, 'query-status')).toEqual({ running: true });
  });

  it('that is refused says why', async () => {
    const path = await monitor(() => ({ error: { class: 'GenericError', desc: 'no such thing' } }));
    await expect(qmp(path, 'eject')).rejects.toThrow('eject: no such thing');
  });

  it('that ends QEMU before it answers is an error, not a wait', async () => {
    const path = await monitor((_, socket) => {
      socket.destroy();
      return null;
    });
    await expect(qmp(path, 'quit')).rejects.toThrow('QEMU closed its socket during quit');
  });

  it('to nobody is an error', async () => {
    await expect(qmp('/nonexistent/qmp.sock', 'quit')).rejects.toThrow('ENOENT');
  });
});
