import type {
  ClusterOverview,
  ClusterSummary,
  NodeView,
} from '../../../src-main/contract/views.ts';
import { isAlive, isUp, type OverviewLookup, upNodes } from './overview-model.ts';

export interface Capability {
  name: string;
  works: boolean;
  text: string;
}

export interface RecoveryStep {
  title: string;
  text: string;
  /** Nodes that its button starts. */
  start: readonly string[];
  /** Offer the logs beside it. */
  logs: boolean;
}

/** What a cluster without quorum still does (etcd API guarantees; the node follows them). */
export function capabilities(overview: ClusterOverview, w: OverviewLookup): Capability[] {
  const up = upNodes(overview).map((node) => node.name);
  return [
    {
      name: w('wkSerializable'),
      works: up.length > 0,
      text:
        up.length > 0 ? w('wkSerializableYes', { nodes: up.join(', ') }) : w('wkSerializableNo'),
    },
    { name: w('wkLinearizable'), works: false, text: w('wkLinearizableNo') },
    { name: w('wkWrites'), works: false, text: w('wkWritesNo') },
    { name: w('wkWatches'), works: false, text: w('wkWatchesNo') },
    { name: w('wkLeases'), works: false, text: w('wkLeasesNo') },
  ];
}

/** Nodes to start first: those that ended in good order before those that crashed. */
export function startOrder(overview: ClusterOverview): NodeView[] {
  const rank = (node: NodeView) => (node.process?.state === 'stopped' ? 0 : 1);
  return overview.nodes
    .filter((node) => node.process !== null && !isAlive(node))
    .sort((a, b) => rank(a) - rank(b));
}

/** How to get back to a quorum, in order. */
export function recoverySteps(
  cluster: ClusterSummary,
  overview: ClusterOverview,
  w: OverviewLookup,
): RecoveryStep[] {
  const steps = cluster.kind === 'local' ? localSteps(overview, w) : remoteSteps(overview, w);
  return [...steps, { title: w('stepLost'), text: w('stepLostText'), start: [], logs: false }];
}

function localSteps(overview: ClusterOverview, w: OverviewLookup): RecoveryStep[] {
  const { quorum, nodes } = overview;
  const alive = nodes.filter(isAlive).length;
  const missing = quorum - alive;
  const order = startOrder(overview);
  if (missing <= 0) {
    return [{ title: w('stepReach'), text: w('stepReachText'), start: [], logs: true }];
  }
  const first = order.slice(0, missing);
  const rest = order.slice(missing);
  const crashed = first.find((node) => node.process?.state === 'crashed');
  const why =
    crashed === undefined
      ? ''
      : ` ${w('stepStartCrashed', { node: crashed.name, exit: crashed.process?.lastExit ?? '?' })}`;
  const steps: RecoveryStep[] = [
    {
      title: w('stepStart', { nodes: names(first) }),
      text: w('stepStartText', { quorum, n: nodes.length }) + why,
      start: first.map((node) => node.name),
      logs: crashed !== undefined,
    },
  ];
  if (rest.length > 0) {
    steps.push({
      title: w('stepRest', { nodes: names(rest) }),
      text: w('stepRestText', { n: rest.length, spare: nodes.length - quorum }),
      start: [],
      logs: false,
    });
  }
  return steps;
}

function remoteSteps(overview: ClusterOverview, w: OverviewLookup): RecoveryStep[] {
  const down = overview.nodes.filter((node) => !isUp(node));
  const missing = overview.quorum - (overview.nodes.length - down.length);
  if (missing <= 0) {
    return [{ title: w('stepReach'), text: w('stepReachText'), start: [], logs: false }];
  }
  return [
    {
      title: w('stepRemote', { n: missing, nodes: names(down) }),
      text: w('stepRemoteText'),
      start: [],
      logs: false,
    },
  ];
}

function names(nodes: readonly NodeView[]): string {
  return nodes.map((node) => node.name).join(', ');
}

/** All that someone who is asked for help needs to know, as text. */
export function diagnosis(
  cluster: ClusterSummary,
  overview: ClusterOverview,
  heading: string,
  sentence: string,
): string {
  const nodes = overview.nodes.map((node) => {
    const process = node.process;
    return [
      `  ${node.name}: ${node.role}, ${node.clientUrl}`,
      `term ${node.term ?? '?'}, commit ${node.commitIndex ?? '?'}, applied ${node.appliedIndex ?? '?'}`,
      ...(process === null
        ? []
        : [`process ${process.state}, pid ${process.pid ?? 'none'}, restarts ${process.restarts}`]),
      ...(process?.lastExit == null ? [] : [`last exit: ${process.lastExit}`]),
      ...(node.error === null ? [] : [`error: ${node.error}`]),
      ...(node.warnings.length === 0 ? [] : [`warnings: ${node.warnings.join(', ')}`]),
    ].join('; ');
  });
  const events = overview.events
    .slice(0, 30)
    .map((e) => `  ${new Date(e.atMs).toISOString()} ${e.node ?? '-'} ${e.text}`);
  return [
    heading,
    sentence,
    `kind ${cluster.kind}, health ${cluster.health}, quorum ${overview.quorum} of ${overview.nodes.length}`,
    `cluster id ${overview.clusterIdHex ?? '?'}, term ${overview.term ?? '?'}, revision ${overview.revision ?? '?'}`,
    'nodes:',
    ...nodes,
    'events, newest first:',
    ...events,
    '',
  ].join('\n');
}
