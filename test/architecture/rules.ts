import { builtinModules } from 'node:module';
import type { Import, Module } from './modules.ts';
import { exceptions, homes, layers, linesMax, machineParts, portsOnly, pureNodeModules, testLinesMax, testPackages } from './table.ts';

/** Looks at all modules and names what breaks it, `path:line what`. */
export type Rule = (modules: readonly Module[]) => string[];

/** Tests, shared contract suites and what only they use may reach further than what ships. */
export function isTest({ path }: Pick<Module, 'path'>): boolean {
  return /\.test\.ts$|\/test-[^/]+\.ts$|\/contract\.ts$|\/contract\/|^test\/|\/testing\//.test(path);
}

export const layersPointDown: Rule = perImport((module, { target }) => {
  const from = layerOf(module.path);
  const to = layerOf(target);
  if (from === undefined || to === undefined || from === to || isTest(module)) return undefined;
  if (layers[from]?.includes(to)) return undefined;
  if (exceptions.some((exception) => exception.from === from && exception.to.test(target!))) return undefined;
  return `${from} may not use ${to}`;
});

export const layersAreListed: Rule = (modules) =>
  [...new Set(modules.map(({ path }) => layerOf(path)))]
    .filter((layer) => layer !== undefined && !(layer in layers))
    .map((layer) => `src/${layer} is not in the table of layers`);

/** An adapter is loaded by its registry alone, and only when a configuration asks for it. Its config.ts is everybody's. */
export const adaptersAreLeaves: Rule = perImport((module, { target, kind }) => {
  const adapter = adapterOf(target);
  if (adapter === undefined || adapterOf(module.path) === adapter || target!.endsWith('/config.ts') || isTest(module)) return undefined;
  if (module.path !== `${adapter.split('/adapters/')[0]}/registry.ts`) return `only the registry may use ${adapter}`;
  return kind === 'static' ? `${adapter} is to be loaded lazily: import(…)` : undefined;
});

/** Reading a configuration must not load what it configures. */
export const configsAreLight: Rule = perImport((module, { specifier, target, kind }) => {
  if (!module.path.endsWith('/config.ts') || !module.path.includes('/adapters/') || kind === 'type') return undefined;
  if (
    specifier === 'zod' ||
    specifier.startsWith('node:') ||
    target?.startsWith('src/core/') ||
    adapterOf(target) === adapterOf(module.path)
  )
    return undefined;
  return `a config.ts uses zod and core only, not ${specifier}`;
});

/** A repository in a directory is open before a configuration would be read: who works on one loads nothing that reads it, unless a location is named. */
export const repositoriesNeedNoConfiguration: Rule = (modules) => {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[], seen: Set<string>): void => {
    seen.add(path);
    for (const { specifier, target, kind } of byPath.get(path)?.imports ?? []) {
      // A location that was named, and one that is more than a directory.
      if (kind === 'type' || (kind === 'lazy' && /^src\/config\/|\/(?:adapters|combinators)\//.test(target ?? ''))) continue;
      if (specifier === 'zod') found.push([...trail, path, specifier].join(' → '));
      if (target !== undefined && !seen.has(target)) visit(target, [...trail, path], seen);
    }
  };
  visit('src/cli/repository/open.ts', [], new Set());
  return found;
};

export const packagesHaveHomes: Rule = perImport((module, { specifier, target }) => {
  if (target !== undefined || isBuiltin(specifier)) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (isTest(module) && testPackages.includes(name)) return undefined;
  if (!(name in homes)) return `${name} has no home in the table`;
  return homes[name]!.some((home) => module.path.startsWith(home)) ? undefined : `${name} lives in ${homes[name]!.join(', ')}`;
});

export const domainReachesMachineByPorts: Rule = perImport((module, { specifier, kind }) => {
  if (!isBuiltin(specifier) || kind === 'type' || isTest(module) || module.path.includes('/adapters/')) return undefined;
  if (machineParts.some((part) => module.path.startsWith(part))) return undefined;
  if (!portsOnly.includes(layerOf(module.path) ?? '') || pureNodeModules.includes(specifier)) return undefined;
  return `${specifier} only behind a port, in runtime or an adapter`;
});

export const nodeModulesAreNamedSo: Rule = perImport((_, { specifier }) =>
  isBuiltin(specifier) && !specifier.startsWith('node:') ? `write node:${specifier}` : undefined,
);

export const relativeImportsHaveExtensions: Rule = (modules) => {
  const known = new Set(modules.map(({ path }) => path));
  return perImport((_, { specifier, target }) => {
    if (target === undefined) return undefined;
    if (!/\.(?:ts|mjs|js)$/.test(specifier)) return `'${specifier}' lacks its extension`;
    return /^(?:src|test|tools|bench)\//.test(target) && !known.has(target) ? `there is no ${target}` : undefined;
  })(modules);
};

/** What runs is loaded in an order: no circle, but of types alone. */
export const nothingGoesRound: Rule = (modules) => {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const from = trail.indexOf(path);
    if (from >= 0) found.push([...trail.slice(from), path].join(' → '));
    if (from >= 0 || done.has(path)) return;
    for (const { target, kind } of byPath.get(path)?.imports ?? []) if (target && kind === 'static') visit(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of modules) visit(path, []);
  return found;
};

export const filesAreKebabCase: Rule = (modules) =>
  modules
    .map(({ path }) => path)
    .filter((path) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|config))?\.(?:ts|mjs)$/.test(path));

export const filesAreShort: Rule = (modules) =>
  modules.flatMap(({ path, source }) => {
    const most = isTest({ path }) ? testLinesMax : linesMax;
    const lines = source.split('\n').length - 1;
    return lines > most ? [`${path} has ${lines} lines, more than ${most}`] : [];
  });

export const exportsAreNamed: Rule = perToken(({ tokens }, index) =>
  tokens[index]!.text === 'export' && tokens[index]!.kind === 'word' && tokens[index + 1]?.text === 'default'
    ? 'a default export'
    : undefined,
);

/** What lint can not see: `new Date()` without arguments reads the clock. */
export const clocksAreAsked: Rule = perToken((module, index) => {
  if (layerOf(module.path) === 'runtime') return undefined;
  const texts = module.tokens.slice(index, index + 4).map(({ text }) => text);
  return module.tokens[index]!.kind === 'word' && texts.join(' ').startsWith('new Date ( )')
    ? 'new Date() reads the clock: Clock.wallMs'
    : undefined;
});

/**
 * Codes of errors in what ships, with where they stand: whatever is given to a HoldfastError, and every text that looks like a code of one
 * of the `areas`, since helpers make errors too.
 */
export function errorCodes(modules: readonly Module[], areas: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, tokens } of modules.filter((module) => !isTest(module))) {
    for (const [index, { kind, text, line }] of tokens.entries()) {
      if (kind !== 'string' || !/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(text) || found.has(text)) continue;
      const constructed = tokens[index - 2]?.text === 'HoldfastError';
      if (constructed || areas.has(text.split('_')[0]!)) found.set(text, `${path}:${line}`);
    }
  }
  return found;
}

function perImport(judge: (module: Module, one: Import) => string | undefined): Rule {
  return (modules) =>
    modules.flatMap((module) =>
      module.imports.flatMap((one) => {
        const problem = judge(module, one);
        return problem === undefined ? [] : [`${module.path}:${one.line} ${problem}`];
      }),
    );
}

function perToken(judge: (module: Module, index: number) => string | undefined): Rule {
  return (modules) =>
    modules.flatMap((module) =>
      module.tokens.flatMap((token, index) => {
        const problem = judge(module, index);
        return problem === undefined ? [] : [`${module.path}:${token.line} ${problem}`];
      }),
    );
}

function layerOf(path: string | undefined): string | undefined {
  return /^src\/([^/]+)\//.exec(path ?? '')?.[1];
}

/** `src/coordination/adapters/etcd` for everything in it. */
function adapterOf(path: string | undefined): string | undefined {
  return /^src\/.+?\/adapters\/[^/]+/.exec(path ?? '')?.[0];
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}
