import type { Clock, Timer } from '../../../core/clock.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { RouterStatus, RouteView, Router } from '../../router.ts';
import { Absence } from './absence.ts';
import { RouteBoard } from './board.ts';
import { CancelKeys } from './cancel.ts';
import type { ProxyConfig } from './config.ts';
import { Dispatcher } from './dispatcher.ts';
import { type ListenAddress, ProxyPort } from './proxy-port.ts';
import type { Port } from './route.ts';
import type { TlsKnowledge } from './session.ts';

/** Readers of a member that is in no view for so long are cut: what they read there grows old. */
const absentMsMax = 5_000;

/** The built-in router: a TCP proxy in the agent itself. */
export class ProxyRouter implements Router {
  readonly #logger: Logger;
  readonly #board = new RouteBoard();
  readonly #dispatcher: Dispatcher;
  readonly #cancelKeys: CancelKeys;
  readonly #absence: Absence;
  readonly #ports = new Map<Port, ProxyPort>();
  readonly #tls: TlsKnowledge = { isOffered: undefined };
  readonly #clock: Clock;
  readonly #holdMs: number;
  #holdLimit: Timer | undefined;
  #cutTotal = 0;
  #refusedTotal = 0;

  /** @throws ROUTER_PORT_IN_USE, ROUTER_ADDRESS_UNUSABLE */
  static async open(service: string, config: ProxyConfig, runtime: Runtime): Promise<ProxyRouter> {
    const router = new ProxyRouter(service, config, runtime);
    try {
      if (config.write) await router.#listen('write', config.write, service, config, runtime);
      if (config.read) await router.#listen('read', config.read, service, config, runtime);
      return router;
    } catch (error) {
      await router[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(service: string, config: ProxyConfig, { clock, logger }: Runtime) {
    this.#logger = logger.child({ service });
    this.#clock = clock;
    this.#holdMs = config.hold.for;
    this.#dispatcher = new Dispatcher(service, this.#board, config, clock);
    this.#cancelKeys = new CancelKeys(this.#board, clock, config.connectTimeout);
    this.#absence = new Absence(clock, absentMsMax, (node) => this.#cutReaders(node, 'it is in no view any more'));
  }

  publish(view: RouteView): void {
    const publication = this.#board.publish(view);
    if (!publication.accepted) {
      const fields = { term: view.term, leader: view.leader?.node, seen: this.#board.view.term };
      if (publication.why === 'contradicts') this.#logger.error('routing.view.contradicts', fields);
      else this.#logger.debug('routing.view.outdated', fields);
      return;
    }
    const { previous, isNewTerm } = publication;
    if (isNewTerm) {
      const cut = this.#ports.get('write')?.cut((route) => route.term < view.term) ?? 0;
      this.#cutTotal += cut;
      this.#logger.info('routing.term.changed', { term: view.term, leader: view.leader?.node, cut });
      if (previous.leader && previous.leader.node !== view.leader?.node) this.#cutReaders(previous.leader.node, 'its term is over');
      if (view.leader) this.#dispatcher.reopen(view.leader);
    }
    const targets = [...(view.leader ? [view.leader] : []), ...view.replicas];
    this.#dispatcher.retain(targets);
    // Without a leader nobody can say who is healthy.
    if (view.leader) this.#absence.update(new Set(targets.map((target) => target.node)));
  }

  hold(term: number): Promise<void> {
    if (!this.#board.hold(term)) {
      this.#logger.debug('routing.hold.late', { term, seen: this.#board.view.term });
      return Promise.resolve();
    }
    this.#logger.info('routing.hold.began', { term });
    this.#holdLimit?.[Symbol.dispose]();
    // Nobody waits longer anyway; and whoever began this may be gone without a word.
    this.#holdLimit = this.#clock.after(this.#holdMs, () => {
      if (!this.#board.isHolding) return;
      this.#logger.warn('routing.hold.expired', { term });
      this.#board.resume(term);
    });
    return Promise.resolve();
  }

  resume(term: number): void {
    this.#board.resume(term);
    if (!this.#board.isHolding) this.#logger.info('routing.hold.ended', { term });
  }

  status(): RouterStatus {
    const write = this.#ports.get('write');
    const read = this.#ports.get('read');
    return {
      kind: 'proxy',
      holding: this.#board.viewFor('write').leader === undefined,
      drainMs: 0,
      write: write?.address,
      read: read?.address,
      term: this.#board.view.term,
      connections: { write: write?.connections ?? 0, read: read?.connections ?? 0, held: this.#dispatcher.held },
      cutTotal: this.#cutTotal,
      refusedTotal: this.#refusedTotal,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#ports.values()].map((port) => port[Symbol.asyncDispose]()));
    this.#holdLimit?.[Symbol.dispose]();
    this.#absence[Symbol.dispose]();
    this.#dispatcher[Symbol.dispose]();
  }

  #cutReaders(node: string, reason: string): void {
    const cut = this.#ports.get('read')?.cut((route) => route.target.node === node) ?? 0;
    this.#cutTotal += cut;
    if (cut > 0) this.#logger.info('routing.readers.cut', { node, cut, reason });
  }

  async #listen(port: Port, address: ListenAddress, service: string, config: ProxyConfig, { clock }: Runtime): Promise<void> {
    const listening = await ProxyPort.listen(service, address, {
      port,
      protocol: config.protocol ?? 'postgres',
      config,
      dispatcher: this.#dispatcher,
      cancelKeys: this.#cancelKeys,
      clock,
      logger: this.#logger,
      tls: this.#tls,
      onRefused: () => this.#refusedTotal++,
    });
    this.#ports.set(port, listening);
    this.#logger.info('routing.port.listening', { port, address: `${listening.address.host}:${listening.address.port}` });
  }
}
