#!/usr/bin/env node
import { reportCrashes } from './exit.js';
import { processIo } from './io.js';
import { gpuProvision } from './program.js';
import { runCli } from './run-cli.js';

const io = processIo();
reportCrashes(io);
// Not process.exit: what is still being written to a pipe would be lost.
process.exitCode = await runCli(gpuProvision, process.argv.slice(2), io);
