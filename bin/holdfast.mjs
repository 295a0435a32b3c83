#!/usr/bin/env node
// Parses and runs under any Node from 18 on: under one that is too old, it finds the Node that came with the package and hands over.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import module from 'node:module';
import { constants as osConstants, userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

const nodeMajorNeeded = 24;

/**
 * For a daemon that mostly waits, memory that is given back counts more than the last bit of speed: a young generation of 1 MB instead of
 * 16, and an old one that is collected sooner. Of the C library (mallopt(3)) one heap instead of one for each thread, and whatever is not small outside of it, so that the buffers of a copied database
 * leave no holes behind. These can be set only before a process begins.
 */
const smallHeap = ['--max-semi-space-size=1', '--optimize-for-size'];
const smallLibrary = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '32768' };
/** Of each of the two halves of a command's young generation. */
const semiSpaceBytesMax = 4 * 1024 * 1024;

if (Number.parseInt(process.versions.node, 10) < nodeMajorNeeded) handOver(bundledNode());
else {
  if (process.argv[2] === 'agent') becomeSmall();
  else boundHeap();
  await run();
}

/** Begins anew, as the same process, unless the size was chosen by whoever started it. Where that can not be done it stays larger, nothing else. */
function becomeSmall() {
  if (isSizeChosen() || process.platform !== 'linux' || process.execve === undefined) return;
  const args = [process.execPath, ...smallHeap, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  process.execve(process.execPath, args, { ...smallLibrary, ...process.env });
}

/**
 * A command has the bytes of files outside of its heap, and what lies in it dies young: a young generation that doubles from 1 MB to 16 and more only waits to be filled. The
 * factor is read each time that it grows: from 4 MB on it stays as it is. The old generation may grow by a quarter before it is looked through, not fourfold. This costs no second
 * start. With V8 13 (Node 24) those bytes are kept out of that account: beside them the heap is so small that each new pack began a collection, a tenth of a first backup's
 * processor time. Another V8 may not know the flag.
 */
function boundHeap() {
  if (isSizeChosen()) return;
  v8.setFlagsFromString('--heap-growing-percent=50');
  if (process.versions.v8.startsWith('13.')) v8.setFlagsFromString('--external-memory-accounted-in-global-limit');
  const observer = new PerformanceObserver(() => {
    const young = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    if (young.space_size < 2 * semiSpaceBytesMax) return;
    v8.setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}

function isSizeChosen() {
  return [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((options) => options.includes('semi-space-size'));
}

async function run() {
  try {
    // Not Node's default below /tmp: what is executed must not lie where others may write.
    module.enableCompileCache(process.env['NODE_COMPILE_CACHE'] ?? join(userInfo().homedir, '.cache', 'holdfast', 'compile'));
  } catch {
    // No home directory: it starts slower, nothing else.
  }
  const source = new URL('../src/cli/main.ts', import.meta.url);
  const { main } = await import(existsSync(source) ? source : new URL('../dist/cli/main.js', import.meta.url));
  process.exitCode = await main(process.argv.slice(2));
}

/** The Node that npm installed beside this package as an optional dependency, if there is one for this machine. */
function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const binary = join(dirname(module.createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node');
    accessSync(binary, constants.X_OK);
    return binary;
  } catch {
    process.stderr.write(
      `error: Holdfast needs Node.js ${nodeMajorNeeded} or newer; this is ${process.versions.node} (CLI_NODE_TOO_OLD)\n` +
        `hint: Install Node.js ${nodeMajorNeeded}, or install Holdfast with its optional dependencies (${name} is missing).\n`,
    );
    process.exit(2);
  }
}

/** Runs this same file under `node`, which also comes first on PATH for whatever that starts, and ends as it ends. */
function handOver(node) {
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` };
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: can not run ${node}: ${error.message} (CLI_NODE_TOO_OLD)\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + osConstants.signals[signal]));
}
