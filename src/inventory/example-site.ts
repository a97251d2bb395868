/**
 * The committed example with all files it names, in a directory of its own: what tests start from.
 * @module
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLE_FILE = new URL('../../examples/inventory.yaml', import.meta.url);

export const EXAMPLE = readFileSync(fileURLToPath(EXAMPLE_FILE), 'utf8');

/** The example with texts replaced; throws when one is not there, since then nothing would be tested. */
export function edited(...edits: readonly (readonly [from: string, to: string])[]): string {
  return edits.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example does not contain ${from}`);
    return text.replace(from, () => to);
  }, EXAMPLE);
}

/** The example with another `bmc`, or none at all when null. */
export function withBmc(bmc: string | null, ...edits: readonly (readonly [from: string, to: string])[]): string {
  return edited(...edits).replace(/ {4}bmc:\n( {6}.*\n)+/, bmc === null ? '' : `    bmc: ${bmc}\n`);
}

export class ExampleSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'inventory-'));
  readonly path = join(this.directory, 'inventory.yaml');

  put(file: string, text: string): void {
    const path = join(this.directory, file);
    mkdirSync(dirname(path), { recursive: true });
    // As a careful person keeps them: secrets that everybody may read are refused.
    writeFileSync(path, text);
    chmodSync(path, 0o600);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  /** Without the directory, so that lines can be compared. */
  relative(lines: readonly string[]): readonly string[] {
    return lines.map((line) => line.replaceAll(`${this.directory}/`, ''));
  }
}
