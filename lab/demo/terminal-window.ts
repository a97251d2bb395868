/**
 * A command in a terminal, as a person sees it: a pseudo-terminal by script(1), and an emulator that draws what arrives there as a page.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
// oxlint-disable-next-line import/default -- CommonJS, whose names Node doesn't find
import serialize from '@xterm/addon-serialize';
import headless from '@xterm/headless';
import { spawnAtTerminal } from '../tools/terminal.js';
import { MAIN, type Env } from './programs.js';

const COLUMNS = 100;
const ROWS = 60;
const LIMIT_MS = 120_000;
const LEAVE_MS = 5_000;

const THEME = { background: '#16181d', foreground: '#dcdfe4' };

/** Pixels. */
const LINE_HEIGHT = 19;
const PADDING = 16;
/** 100 columns of 9.03 pixels. */
export const WIDTH = 936;

export interface Screen {
  readonly html: string;
  /** In pixels. */
  readonly height: number;
}

/** The screen of `gpu-provision WORDS` the first time that all of these texts are on it. Throws when it ends first, or takes two minutes. */
export async function screenOf(env: Env, words: readonly string[], texts: readonly string[]): Promise<Screen> {
  const command = `exec ${[process.execPath, MAIN, ...words].join(' ')}`;
  const size = { columns: COLUMNS, rows: ROWS };
  const child = spawnAtTerminal(command, size, { env: { ...env, TERM: 'xterm', NO_COLOR: undefined } });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject).on('close', () => resolve());
  });
  const terminal = new headless.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true, theme: THEME });
  // oxlint-disable-next-line import/no-named-as-default-member -- the same
  const serializer = new serialize.SerializeAddon();
  terminal.loadAddon(serializer);
  const shown = new Promise<Screen>((resolve) => {
    child.stdout.on('data', (bytes: Buffer) => {
      terminal.write(bytes, () => {
        const lines = linesOf(terminal);
        if (!texts.every((text) => lines.some((line) => line.includes(text)))) return;
        resolve({ html: page(serializer.serializeAsHTML({ includeGlobalBackground: true })), height: heightOf(lines) });
      });
    });
  });
  const never = Promise.race([ended, delay(LIMIT_MS, null, { ref: false })]).then(() => {
    throw new Error(
      `gpu-provision ${words.join(' ')} never showed ${texts.join(', ')}:\n${linesOf(terminal).join('\n')}`,
    );
  });
  try {
    return await Promise.race([shown, never]);
  } finally {
    never.catch(() => undefined);
    // Leaves the view; the run goes on.
    child.stdin.write('q');
    await Promise.race([ended, delay(LEAVE_MS)]);
    child.kill();
  }
}

function linesOf({ buffer }: InstanceType<typeof headless.Terminal>): readonly string[] {
  const rows = Array.from({ length: ROWS }, (_, row) => buffer.active.getLine(row)?.translateToString(true) ?? '');
  return rows.slice(0, rows.findLastIndex((row) => row !== '') + 1);
}

const heightOf = (lines: readonly string[]): number => lines.length * LINE_HEIGHT + 2 * PADDING;

const page = (body: string): string => `<!doctype html><meta charset="utf-8"><style>
html, body { margin: 0; background: ${THEME.background}; }
body { padding: ${PADDING}px; }
pre { margin: 0; }
pre, pre * { font: 15px/${LINE_HEIGHT}px 'DejaVu Sans Mono', monospace !important; }
pre div div { height: ${LINE_HEIGHT}px; }
</style>${body}`;
