import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { DemoCluster } from '../../agent/demo/cluster.ts';
import { playStory, type StoryResult } from '../../agent/demo/story.ts';
import { createRuntime } from '../../runtime/index.ts';
import type { CommonOptions } from '../command.ts';

const START_MS = 60_000;
const WATCH_MS = 500;

interface DemoOptions extends CommonOptions {
  readonly dir: string;
  readonly nodes: number;
  readonly coordination: string;
  readonly acknowledge?: number;
  readonly once?: boolean;
}

export function register(command: Command): void {
  command
    .option('--dir <directory>', 'where everything lives; kept when the demo stops', join(tmpdir(), `holdfast-demo-${userInfo().username}`))
    .option('--nodes <count>', 'members, 1 to 7', count(1, 7), 3)
    .option('--coordination <store>', 'embedded, etcd:URL or zookeeper:HOST:PORT', 'embedded')
    .option(
      '--acknowledge <k>',
      'replicas that must have a commit before it is acknowledged (default: 1 with 3 members or more, else 0)',
      count(0, 6),
    )
    .option(
      '--once',
      'play the story: kill, stop and move the leader under load, lose everything and restore it, print what was measured, exit',
    )
    .action(run);
}

function count(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

async function run(options: DemoOptions): Promise<void> {
  await using runtime = createRuntime({ log: { level: 'error' } });
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  const tell = (line: string): void => {
    if (options.json !== true) process.stdout.write(`${line}\n`);
  };
  const acknowledge = options.acknowledge ?? (options.nodes >= 3 ? 1 : 0);
  const layout = { directory: options.dir, nodes: options.nodes, coordination: options.coordination, acknowledge, copies: true };
  const program = [process.execPath, ...process.execArgv, process.argv[1]!];
  tell(`Starting ${options.nodes} nodes with a PostgreSQL each in ${options.dir} …`);
  await using cluster = await DemoCluster.open(layout, program, runtime);
  try {
    const whole = await cluster.until('whole', (service) => cluster.isWhole(service), START_MS, stop.signal);
    await cluster.writeFacts(whole);
    if (options.once === true) {
      const result = await playStory(cluster, runtime, tell, stop.signal);
      print(result, options.json === true);
      process.exitCode = result.held ? 0 : 1;
      return;
    }
    introduce(cluster, whole.leader!, options, tell);
    while (!stop.signal.aborted) {
      await runtime.clock.sleep(WATCH_MS, stop.signal);
      const now = await cluster.status();
      if (now !== undefined) await cluster.writeFacts(now);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    tell('\nStopping …');
  }
}

function introduce(cluster: DemoCluster, leader: string, options: DemoOptions, tell: (line: string) => void): void {
  if (options.json === true) process.stdout.write(`${JSON.stringify({ ready: true, facts: join(options.dir, 'demo.json') })}\n`);
  tell(`Ready: ${leader} leads.`);
  tell('');
  tell(`  write   ${cluster.writeConnection}`);
  tell(`  read    ${cluster.readConnection}`);
  tell(`  facts   ${join(options.dir, 'demo.json')}  (connection strings, addresses, pids)`);
  tell('');
  tell(`  watch it:     npm run holdfast -- status --watch --demo ${options.dir}`);
  tell(`  move it:      npm run holdfast -- switchover orders --demo ${options.dir}`);
  tell('  break it:     kill -9 a postmaster, an agent or a guard: their pids are in demo.json');
  tell('');
  tell('Ctrl-C stops everything; the same --dir goes on with the same data.');
}

function print(result: StoryResult, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else
    process.stdout.write(
      `\n${result.acked} rows acknowledged, ${result.lost} lost; restored in ${(result.restore.rtaMs / 1_000).toFixed(1)} s: ${result.held ? 'it held' : 'it did NOT hold'}\n`,
    );
}
