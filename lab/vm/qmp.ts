/**
 * QEMU's machine protocol: one command over the machine's socket.
 * @module
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** QEMU answers at once, or is gone. */
const ANSWER_TIMEOUT_MS = 10_000;

/** The value QEMU returns. Rejects when nobody listens at the socket (no QEMU runs) or when QEMU refuses the command. */
export function qmp(socket: string, command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stream = connect(socket);
    const close = (then: () => void): void => {
      stream.destroy();
      then();
    };
    stream.setTimeout(ANSWER_TIMEOUT_MS, () => stream.destroy(new Error(`QEMU does not answer ${command}`)));
    stream.on('error', reject);
    // QEMU resets the connection when it quits; readline hands its stream's errors on, to nobody.
    const lines = createInterface({ input: stream });
    lines.on('error', reject);
    stream.on('close', () => reject(new Error(`QEMU closed its socket during ${command}`)));
    lines.on('line', (line) => {
      const message = JSON.parse(line) as { QMP?: unknown; return?: unknown; error?: { desc: string }; id?: string };
      if (message.QMP !== undefined) {
        stream.write('{"execute":"qmp_capabilities"}\n');
        stream.write(`${JSON.stringify({ execute: command, arguments: args, id: 'it' })}\n`);
      } else if (message.error !== undefined) {
        const { desc } = message.error;
        close(() => reject(new Error(`${command}: ${desc}`)));
      } else if (message.id === 'it') {
        close(() => resolve(message.return));
      }
    });
  });
}
