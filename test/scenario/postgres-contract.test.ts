import { describeEngineContract } from '../../src/engine/contract.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { TestCluster, versions, type TestMember } from './postgres/harness.ts';

for (const { name, bin } of versions) {
  let cluster: TestCluster;
  const members = new Map<string, TestMember>();
  describeEngineContract(`PostgreSQL (${name})`, {
    get runtime() {
      return cluster.runtime;
    },
    replicated: true,
    async start() {
      cluster = await TestCluster.open(bin);
    },
    stop: () => cluster[Symbol.asyncDispose](),
    async open() {
      const member = await cluster.member(`n${members.size}`);
      members.set(member.address.node, member);
      return member.engine;
    },
    reopen: (engine: Engine) => members.get(engine.address.node)!.reopen(),
  });
}
