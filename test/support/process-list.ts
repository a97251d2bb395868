/**
 * What everybody on this machine can see of processes while something runs, and what their user can: /proc, read over and over.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

const EVERY_MS = 10;

export class ProcessList {
  /** Command lines, arguments separated by spaces. */
  readonly commandLines = new Set<string>();
  /** Environments of processes whose command line begins with the name that is watched for. */
  readonly environments = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly watched: string) {
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const commandLine = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      if (commandLine === '') continue;
      this.commandLines.add(commandLine);
      if (!commandLine.startsWith(this.watched)) continue;
      const environment = read(`/proc/${pid}/environ`);
      if (environment !== '') this.environments.add(environment);
    }
  }
}

/** Empty when the process is gone by now. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
