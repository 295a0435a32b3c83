// What `npm run …` starts. Parses and runs under any Node from 18 on, whatever npm says: installs what the lockfile names when it is not
// there, then runs the real thing under the Node 24 that comes with it.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const nodeMajorNeeded = 24;
const root = fileURLToPath(new URL('..', import.meta.url));
const nodeFolder = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');

/** Programs and their first arguments, run in the repository's folder; what the caller adds follows. */
const tasks = {
  demo: [['node', 'bin/holdfast.mjs', 'demo']],
  holdfast: [['node', 'bin/holdfast.mjs']],
  test: [['node', 'tools/test.ts']],
  sim: [['node', 'test/simulation/main.ts']],
  bench: [['node', 'tools/bench.ts']],
  soak: [['node', 'test/soak/main.ts']],
  linearizable: [['node', 'test/history/linearizable.ts']],
  lint: [['oxlint', '--type-aware', '--deny-warnings']],
  format: [['oxfmt']],
  'format:check': [['oxfmt', '--check']],
  typecheck: [['tsc', '-p', '.']],
  unused: [['knip']],
  build: [['node', 'tools/build.ts']],
  'package:check': [
    ['publint', '--strict'],
    ['attw', '--profile', 'esm-only'],
  ],
};

/** The child that runs now; signals go to it. */
let child;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => child?.kill(signal));
process.exitCode = await main(process.argv[2], process.argv.slice(3));

async function main(task, rest) {
  if (!Object.hasOwn(tasks, task ?? '')) return fail(`'${task ?? ''}' is no task; there are: ${Object.keys(tasks).join(', ')}`);
  const installed = await install();
  if (installed !== 0) return installed;
  const path = [
    ...(existsSync(join(nodeFolder, 'node')) ? [nodeFolder] : []),
    join(root, 'node_modules', '.bin'),
    process.env['PATH'] ?? '',
  ];
  const env = { ...process.env, PATH: path.join(delimiter) };
  for (const [program, ...args] of tasks[task]) {
    const code = await run(program === 'node' ? node() : join(root, 'node_modules', '.bin', program), [...args, ...rest], env);
    if (code !== 0) return code;
  }
  return 0;
}

/** The Node of the package, else this one when it is new enough. */
function node() {
  const packaged = join(nodeFolder, 'node');
  if (isExecutable(packaged)) return packaged;
  if (Number.parseInt(process.versions.node, 10) >= nodeMajorNeeded) return process.execPath;
  throw new Error(
    `Node.js ${nodeMajorNeeded} is needed, this is ${process.versions.node}, and there is no package of it for ${process.platform}-${process.arch}.`,
  );
}

/** Runs `npm ci` when what is installed is not what the lockfile names. */
async function install() {
  if (missing().length === 0) return 0;
  process.stderr.write('Installing what package-lock.json names …\n');
  const flags = [
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--engine-strict=false',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const npm = process.env['npm_execpath']?.endsWith('npm-cli.js') ? [process.execPath, process.env['npm_execpath']] : ['npm'];
  const code = await run(npm[0], [...npm.slice(1), 'ci', ...flags], process.env, ['ignore', 2, 2]);
  if (code !== 0) return fail(`npm ci failed (${code}); what it says above tells why.`);
  // npm leaves out optional packages that refuse the Node it runs under, native parts among them: once more under the right one.
  if (missing().length > 0 && npm.length > 1 && isExecutable(join(nodeFolder, 'node')))
    await run(node(), [npm[1], 'ci', ...flags], process.env, ['ignore', 2, 2]);
  const still = missing();
  return still.length === 0 ? 0 : fail(`npm ci did not install ${still.slice(0, 5).join(', ')}.`);
}

/** Packages that the lockfile names for this machine and that npm's own record of node_modules has not, or has in another version. */
function missing() {
  const wanted = packages('package-lock.json');
  const present = packages('node_modules/.package-lock.json');
  return Object.keys(wanted).filter((path) => path !== '' && isForHere(wanted[path]) && present[path]?.version !== wanted[path].version);
}

function packages(lockfile) {
  try {
    return JSON.parse(readFileSync(join(root, lockfile), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

/** Whether a locked package must be here: all but optional ones of other machines, and optional ones that those bring along. */
function isForHere({ os, cpu, libc, optional, devOptional }) {
  if (!optional && !devOptional) return true;
  const here = (allowed, actual) => [allowed].flat().includes(actual);
  return os !== undefined && here(os, process.platform) && here(cpu ?? process.arch, process.arch) && here(libc ?? libcHere(), libcHere());
}

function libcHere() {
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs to the end; the exit code, or 128 + n when signal n ended it. */
function run(program, args, env, stdio = 'inherit') {
  return new Promise((resolve) => {
    child = spawn(program, args, { cwd: root, env, stdio });
    child.on('error', (error) => resolve(fail(`can not run ${program}: ${error.message}`)));
    child.on('exit', (code, signal) => resolve(code ?? 128 + osConstants.signals[signal]));
  });
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  return 2;
}
