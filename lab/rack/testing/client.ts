/**
 * A plain ssh2 client for tests of the rack: one command a call, over a shared connection.
 * @module
 */
import ssh2 from 'ssh2';
import type { Rack, SimulatedHost } from '../options.js';
import { quoteAll } from '../shell/rewrite.js';

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  /** null when a signal ended it or the link broke. */
  readonly exitCode: number | null;
}

export class TestClient {
  private constructor(readonly connection: ssh2.Client) {}

  static connect(rack: Rack, host: SimulatedHost): Promise<TestClient> {
    const connection = new ssh2.Client();
    return new Promise((resolve, reject) => {
      connection.once('ready', () => resolve(new TestClient(connection)));
      connection.on('error', reject);
      connection.connect({
        host: host.ssh.host,
        port: host.ssh.port,
        username: host.ssh.user,
        privateKey: rack.clientKey,
        keepaliveInterval: 0,
      });
    });
  }

  /** Runs an argument vector as root. */
  root(argv: readonly string[], stdin = ''): Promise<Answer> {
    return this.run(quoteAll(['sudo', '-n', ...argv]), stdin);
  }

  /** Runs a shell script as root. */
  script(text: string, ...args: string[]): Promise<Answer> {
    return this.root(['sh', '-c', text, 'test', ...args]);
  }

  run(command: string, stdin = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.connection.exec(command, (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        let stdout = '';
        let stderr = '';
        let exitCode: number | null = null;
        channel.on('data', (chunk: Buffer) => {
          stdout += chunk.toString();
        });
        channel.stderr.on('data', (chunk: Buffer) => {
          stderr += chunk.toString();
        });
        channel.on('exit', (code: number | null) => {
          exitCode = code;
        });
        channel.on('close', () => resolve({ stdout, stderr, exitCode }));
        channel.end(stdin);
      });
    });
  }

  close(): void {
    this.connection.end();
  }
}
