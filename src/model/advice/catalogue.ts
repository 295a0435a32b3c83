import type { CatalogueInput } from './catalogue-schema.ts';

/**
 * What ships. Prices are list prices of one large provider (US dollars, no discounts); whoever pays others writes their own. What nobody publishes
 * is a round figure and says so in `figureSources`: these are the first to replace by what was measured.
 */
export const shippedCatalogue: CatalogueInput = {
  machine: {
    price: '0.192/h',
    mtbf: '129d',
    mttr: '15min',
    crash: '1/year',
    restart: '30s',
    upkeep: '12/year',
    reboot: '5min',
    disk: { price: '0.08/GB/month', afr: '0.2%' },
    provision: '15min',
    clone: '100MiB/s',
    care: '12h',
    mistakes: '0.1/year',
  },
  witness: { price: '0.0208/h' },
  site: { mtbf: '2y', mttr: '3h', destroyed: '1/1000y', rebuild: '4h', traffic: '0.02/GB', care: '8h', mistakes: '0.1/year' },
  failover: { quorum: '400ms', asynchronous: '10s', switchover: '210ms', lag: '1s', voterLoss: '1s' },
  stores: {
    etcd: { care: '12h', mistakes: '0.1/year' },
    zookeeper: { care: '16h', mistakes: '0.1/year' },
  },
  locations: {
    disk: {
      kind: 'path',
      place: 'site',
      price: '0.045/GB/month',
      put: 0,
      download: '0/GB',
      rate: '200MiB/s',
      loss: '1.7%',
      locked: false,
      notice: '1d',
      care: '4h',
    },
    vault: {
      kind: 'sftp',
      place: 'elsewhere',
      price: '0.015/GB/month',
      put: 0,
      download: '0/GB',
      rate: '50MiB/s',
      loss: '1.7%',
      locked: false,
      notice: '1d',
      care: '6h',
    },
    cloud: {
      kind: 's3',
      place: 'elsewhere',
      price: '0.023/GB/month',
      put: 0.000005,
      download: '0.09/GB',
      rate: '100MiB/s',
      loss: '0.01%',
      locked: true,
      notice: '1d',
      care: '2h',
    },
  },
  copies: {
    disk: { location: 'disk' },
    vault: { location: 'vault' },
    cloud: { location: 'cloud' },
    'disk-cloud': { mirror: ['disk', 'cloud'] },
    'vault-cloud': { mirror: ['vault', 'cloud'] },
    'three-copies': { mirror: ['disk', 'vault', 'cloud'] },
    'parity-2-1': { parity: { data: 2, parity: 1, over: ['disk', 'vault', 'cloud'] } },
  },
  retention: { kept: '30d', compression: 0.5 },
  disasters: { error: '0.1/year', noticed: '30min', intruder: '0.01/year', mistake: '1h' },
  restore: {
    decide: '20min',
    start: '30s',
    verify: '5min',
    cutover: '1min',
    write: '200MiB/s',
    retry: '8h',
    lost: '5%',
  },
  drill: { care: '2h', halfLife: '180d' },
  skills: {
    novice: { mistakes: 3, care: 2, time: 2 },
    practised: { mistakes: 1, care: 1, time: 1 },
    expert: { mistakes: 0.5, care: 0.75, time: 0.5 },
  },
};

const aws = 'list price of Amazon Web Services, us-east-1, 2024';
const round = 'no published figure: a round assumption';
const own = 'measured: docs/measurements.md';
const logAvailability = 'Ford et al.: Availability in Globally Distributed Storage Systems, OSDI 2010';
const sparH =
  'NUREG/CR-6883, The SPAR-H Human Reliability Analysis Method (2005), experience and training of an action: low 3, nominal 1, high 0.5';
const tier = 'Uptime Institute, Tier III: 99.982 %, 1.6 hours a year; here as 3 hours every 2 years';
const backblaze = 'Backblaze Drive Stats for 2023: 1.70 % of 269,756 drives failed';
const operators =
  'Oppenheimer, Ganapathi, Patterson: Why do Internet services fail, and what can be done about it?, USITS 2003 (operators are the largest cause in two of three services); the figure itself is a round assumption';

/** Where each figure comes from, by its path; a path of several figures stands for all below it. A test holds that none is without. */
export const figureSources: Readonly<Record<string, string>> = {
  'machine.price': `${aws}: m5.xlarge, 4 processors, 16 GiB`,
  'machine.mtbf': `${logAvailability}: mean time to failure of a node 4.3 months`,
  'machine.mttr': `${logAvailability}: less than a tenth of the times away last longer than 15 minutes`,
  'machine.crash': round,
  'machine.restart': round,
  'machine.upkeep':
    'PostgreSQL publishes a minor release each quarter (postgresql.org/support/versioning); once a month with the operating system',
  'machine.reboot': round,
  'machine.disk.price': `${aws}: EBS gp3`,
  'machine.disk.afr': 'Amazon EBS features: gp3 is designed for an annual failure rate of 0.1 to 0.2 %',
  'machine.provision': round,
  'machine.clone': 'a network of 1 Gbit/s, nearly full',
  'machine.care': round,
  'machine.mistakes': operators,
  'witness.price': `${aws}: t3.small`,
  'site.mtbf': tier,
  'site.mttr': tier,
  'site.destroyed': 'no published rate: a round assumption (known cases: OVH SBG2, Strasbourg 2021)',
  'site.rebuild': round,
  'site.traffic': `${aws}: between regions (between zones 0.01 each way)`,
  'site.care': round,
  'site.mistakes': operators,
  'failover.quorum': `${own} (node lost: median 0.19, worst 0.40 s)`,
  'failover.asynchronous': 'default of coordination.ttl',
  'failover.switchover': own,
  'failover.lag': round,
  'failover.voterLoss': 'default of services.NAME.failover.voterLoss',
  stores: 'as one more part that people work on: a round assumption',
  'locations.disk.price': `${aws}: EBS st1`,
  'locations.disk.put': 'files cost nothing to write',
  'locations.disk.download': 'at the same place',
  'locations.disk.rate': 'a disk of its own, read in order',
  'locations.disk.loss': backblaze,
  'locations.disk.notice': 'checked once a day',
  'locations.disk.care': round,
  'locations.vault.price': `${round}, of the order of what SFTP storage is sold for`,
  'locations.vault.put': 'files cost nothing to write',
  'locations.vault.download': 'no charge at such providers',
  'locations.vault.rate': 'a line of 500 Mbit/s, nearly full',
  'locations.vault.loss': `${backblaze}; taken without redundancy`,
  'locations.vault.notice': 'checked once a day',
  'locations.vault.care': round,
  'locations.cloud.price': `${aws}: S3 Standard`,
  'locations.cloud.put': `${aws}: 0.005 per 1,000 PUT`,
  'locations.cloud.download': `${aws}: to the internet, first 10 TB`,
  'locations.cloud.rate': 'a network of 1 Gbit/s, nearly full',
  'locations.cloud.loss':
    'objects: designed for 99.999999999 % (Amazon S3); accounts are lost more often (UniSuper, Google Cloud 2024): one in 10,000 years, a round assumption',
  'locations.cloud.notice': 'checked once a day',
  'locations.cloud.care': round,
  'retention.kept': 'as the daily and weekly snapshots of the configuration',
  'retention.compression': round,
  'disasters.error': 'no published rate: a round assumption (known case: GitLab.com, 31 January 2017)',
  'disasters.noticed': round,
  'disasters.intruder': 'no published rate: a round assumption (known case: Code Spaces, 2014)',
  'disasters.mistake': 'Oppenheimer et al. (2003): errors of operators take longest to repair; the figure is a round assumption',
  restore: round,
  'drill.care': round,
  'drill.halfLife': round,
  'skills.novice.mistakes': sparH,
  'skills.practised': 'by definition',
  'skills.expert.mistakes': sparH,
  'skills.novice.care': round,
  'skills.expert.care': round,
  'skills.novice.time': round,
  'skills.expert.time': round,
};
