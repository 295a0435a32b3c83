import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { HoldfastError } from '../../core/errors.ts';
import { nameFromBytes, nameToBytes } from '../tree/name.ts';
import type { ExtendedAttribute } from '../tree/node.ts';

/** Since 1970-01-01 UTC. */
export interface FileTimes {
  readonly accessedNs: bigint;
  readonly modifiedNs: bigint;
}

/** What system calls came to: a value, or the number of the error (errno). */
export type Outcome<Value> = { readonly value: Value; readonly errno: 0 } | { readonly value: undefined; readonly errno: number };

/**
 * System calls that Node.js lacks: extended attributes, times to the nanosecond, device nodes and FIFOs, names of accounts. Calls are
 * answered in order; give many at once. Paths are as `nameFromBytes` makes them. No call follows a symbolic link in the last part of its path.
 */
export interface SystemCalls extends AsyncDisposable {
  readAttributes(paths: readonly string[]): Promise<Outcome<readonly ExtendedAttribute[]>[]>;
  writeAttribute(path: string, attribute: ExtendedAttribute): Promise<Outcome<void>>;
  removeAttribute(path: string, name: string): Promise<Outcome<void>>;
  setTimes(path: string, times: FileTimes): Promise<Outcome<void>>;
  /** `mode` with the type's bits (S_IFIFO, S_IFBLK, S_IFCHR). */
  makeNode(path: string, mode: number, device: bigint): Promise<Outcome<void>>;
  /** All that was written to the file system of `path` is durable when it resolves (syncfs). */
  syncFileSystem(path: string): Promise<Outcome<void>>;
  /** Undefined when nobody has that number. */
  userName(uid: number): Promise<string | undefined>;
  groupName(gid: number): Promise<string | undefined>;
}

/** llistxattr, lgetxattr, lsetxattr, lremovexattr, utimensat, mknodat, syncfs: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h of Linux. */
const numbers: Readonly<Record<string, readonly number[]>> = {
  x64: [195, 192, 189, 198, 280, 259, 306],
  arm64: [12, 9, 6, 15, 88, 33, 267],
};

/**
 * Perl's `syscall` is the one way to them that every Debian has without a compiler (perl-base is essential there). A request and its reply
 * are a 32-bit length and that many bytes: a letter or an errno, then fields, each with a length before it.
 */
const program = String.raw`
use strict;
binmode STDIN; binmode STDOUT;
my ($list, $get, $set, $remove, $times, $node, $sync) = map { $_ + 0 } @ARGV;
my ($cwd, $nofollow) = (-100, 0x100);
my $room = "\0" x 65537;
sub get { my ($size, $data) = (shift, ''); while (length($data) < $size) { read(STDIN, $data, $size - length($data), length($data)) or exit 0 } $data }
sub outcome { my $errno = $_[0] < 0 ? $! + 0 : 0; pack('V', $errno) }
while (1) {
  my $request = get(unpack('V', get(4)));
  my $op = substr($request, 0, 1);
  my ($path, @more) = unpack('(V/a*)*', substr($request, 1));
  my $reply;
  if ($op eq 'l') {
    my $size = syscall($list, $path, $room, 65536);
    $reply = outcome($size);
    if ($size > 0) {
      for my $name (split(/\0/, substr($room, 0, $size))) {
        my $length = syscall($get, $path, $name, $room, 65536);
        $reply .= pack('V/a* V/a*', $name, substr($room, 0, $length)) if $length >= 0;
      }
    }
  }
  elsif ($op eq 's') { $reply = outcome(syscall($set, $path, $more[0], $more[1], length($more[1]), 0)) }
  elsif ($op eq 'r') { $reply = outcome(syscall($remove, $path, $more[0])) }
  elsif ($op eq 't') { $reply = outcome(syscall($times, $cwd, $path, $more[0], $nofollow)) }
  elsif ($op eq 'n') { $reply = outcome(syscall($node, $cwd, $path, unpack('V', $more[0]) + 0, unpack('Q<', $more[1]) + 0)) }
  elsif ($op eq 'y') { my $directory; $reply = outcome(opendir($directory, $path) ? syscall($sync, fileno($directory)) : -1) }
  elsif ($op eq 'u') { my $name = getpwuid($path + 0); $reply = pack('V', 0) . (defined $name ? pack('V/a*', $name) : '') }
  elsif ($op eq 'g') { my $name = getgrgid($path + 0); $reply = pack('V', 0) . (defined $name ? pack('V/a*', $name) : '') }
  else { exit 2 }
  print pack('V/a*', $reply);
  if (!select(my $ready = "\1", undef, undef, 0)) { STDOUT->flush() }
}
`;

interface Pending {
  missing: number;
  readonly replies: Buffer[];
  readonly resolve: (replies: Buffer[]) => void;
  readonly reject: (reason: Error) => void;
}

/**
 * Starts the process that makes the calls. Undefined where there is no perl, or the machine's numbers are unknown: then attributes and device
 * nodes are left out, and times are as fine as Node.js writes them.
 */
export async function openSystemCalls(): Promise<SystemCalls | undefined> {
  const calls = process.platform === 'linux' ? numbers[process.arch] : undefined;
  if (calls === undefined) return undefined;
  const child = spawn('perl', ['-MIO::Handle', '-e', program, ...calls.map(String)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
  });
  const started = await new Promise<boolean>((resolve) => {
    child.once('spawn', () => resolve(true));
    child.once('error', () => resolve(false));
  });
  if (!started) return undefined;
  const opened = new PerlCalls(child);
  const answers = await opened.userName(0).then(
    () => true,
    () => false,
  );
  if (answers) return opened;
  await opened[Symbol.asyncDispose]();
  return undefined;
}

/** They are opened when they are first asked for: where nothing changed nobody does. */
export interface LateSystemCalls extends AsyncDisposable {
  get(): Promise<SystemCalls | undefined>;
}

export function lateSystemCalls(): LateSystemCalls {
  let opening: Promise<SystemCalls | undefined> | undefined;
  return {
    get: () => (opening ??= openSystemCalls()),
    [Symbol.asyncDispose]: async () => (await opening)?.[Symbol.asyncDispose](),
  };
}

class PerlCalls implements SystemCalls {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #pending: Pending[] = [];
  readonly #names = new Map<string, Promise<string | undefined>>();
  readonly #ended: Promise<void>;
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
    child.stdout.on('data', (data: Buffer) => this.#take(data));
    child.stdin.on('error', () => this.#fail());
    child.once('close', () => this.#fail());
    child.on('error', () => this.#fail());
  }

  async readAttributes(paths: readonly string[]): Promise<Outcome<readonly ExtendedAttribute[]>[]> {
    const replies = await this.#call(paths.map((path) => request('l', path)));
    return replies.map((reply) => outcome(reply, attributesOf));
  }

  async writeAttribute(path: string, { name, value }: ExtendedAttribute): Promise<Outcome<void>> {
    return this.#act(request('s', path, name, value));
  }

  async removeAttribute(path: string, name: string): Promise<Outcome<void>> {
    return this.#act(request('r', path, name));
  }

  async setTimes(path: string, times: FileTimes): Promise<Outcome<void>> {
    const both = Buffer.alloc(32);
    for (const [index, ns] of [times.accessedNs, times.modifiedNs].entries()) {
      const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
      both.writeBigInt64LE((ns - fraction) / 1_000_000_000n, 16 * index);
      both.writeBigInt64LE(fraction, 16 * index + 8);
    }
    return this.#act(request('t', path, both));
  }

  async makeNode(path: string, mode: number, device: bigint): Promise<Outcome<void>> {
    const numbersOf = [Buffer.alloc(4), Buffer.alloc(8)] as const;
    numbersOf[0].writeUInt32LE(mode);
    numbersOf[1].writeBigUInt64LE(device);
    return this.#act(request('n', path, ...numbersOf));
  }

  syncFileSystem(path: string): Promise<Outcome<void>> {
    return this.#act(request('y', path));
  }

  userName(uid: number): Promise<string | undefined> {
    return this.#nameOf('u', uid);
  }

  groupName(gid: number): Promise<string | undefined> {
    return this.#nameOf('g', gid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  #nameOf(kind: 'u' | 'g', id: number): Promise<string | undefined> {
    const key = `${kind}${id}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = this.#call([request(kind, String(id))]).then(([reply]) => fieldsOf(reply as Buffer)[0]?.toString());
      this.#names.set(key, name);
    }
    return name;
  }

  async #act(message: Buffer): Promise<Outcome<void>> {
    const [reply] = await this.#call([message]);
    return outcome(reply as Buffer, () => undefined);
  }

  #call(requests: readonly Buffer[]): Promise<Buffer[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.#pending.push({ missing: requests.length, replies: [], resolve, reject });
      // What is asked for at once goes in one piece.
      if (this.#child.stdin.writableCorked === 0) {
        this.#child.stdin.cork();
        queueMicrotask(() => this.#child.stdin.uncork());
      }
      for (const message of requests) this.#child.stdin.write(message);
    });
  }

  #take(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let at = 0;
    while (this.#rest.length - at >= 4) {
      const end = at + 4 + this.#rest.readUInt32LE(at);
      if (end > this.#rest.length) break;
      const first = this.#pending[0];
      if (first === undefined) break;
      first.replies.push(Buffer.from(this.#rest.subarray(at + 4, end)));
      first.missing -= 1;
      if (first.missing === 0) {
        this.#pending.shift();
        first.resolve(first.replies);
      }
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
  }

  #fail(): void {
    this.#failure ??= new HoldfastError('BACKUP_SYSTEM_CALLS', 'the process that reads and writes what Node.js can not has ended', {
      retryable: true,
      hint: 'run the command again; see whether something kills perl',
    });
    for (const { reject } of this.#pending.splice(0)) reject(this.#failure);
  }
}

function request(op: string, ...values: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.alloc(4), Buffer.from(op)];
  for (const value of values) {
    const field = typeof value === 'string' ? nameToBytes(value) : value;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(field.length);
    parts.push(length, field);
  }
  const message = Buffer.concat(parts);
  message.writeUInt32LE(message.length - 4);
  return message;
}

function outcome<Value>(reply: Buffer, read: (reply: Buffer) => Value): Outcome<Value> {
  const errno = reply.readUInt32LE(0);
  return errno === 0 ? { value: read(reply), errno } : { value: undefined, errno };
}

function fieldsOf(reply: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 4; at < reply.length;) {
    const end = at + 4 + reply.readUInt32LE(at);
    fields.push(reply.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

function attributesOf(reply: Buffer): ExtendedAttribute[] {
  const fields = fieldsOf(reply);
  return Array.from({ length: fields.length / 2 }, (_, index) => ({
    name: nameFromBytes(fields[2 * index] as Buffer),
    value: fields[2 * index + 1] as Buffer,
  }));
}
