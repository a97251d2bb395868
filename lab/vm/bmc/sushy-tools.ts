/**
 * sushy-tools, the Redfish emulator.
 * @module
 */
import { join } from 'node:path';
import { sourceFolder } from '../../tools/kept-folder.js';
import { pythonWith } from '../../tools/python.js';
import type { Workshop } from '../../tools/workshop.js';

const FOLDER = sourceFolder(import.meta.url);
export const EMULATOR = join(FOLDER, 'redfish-emulator.py');

/** Path of a Python that can import sushy-tools. */
export function sushyPython(workshop: Workshop): Promise<string> {
  return pythonWith({ name: 'sushy-tools', requirements: join(FOLDER, 'requirements.txt') }, workshop);
}
