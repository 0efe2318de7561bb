import type { ClusterSummary, EndpointTest } from '../../src-main/contract/views.ts';
import { type ContractClient, errorText } from '../api/client.ts';
import { MAX_CLUSTER_NAME_CHARS, MAX_ENDPOINTS } from '../lib/limits.ts';

export type NameProblem = 'errName' | 'errNameLong' | 'errNameTaken';
export type PortProblem = 'errPort';
export type EndpointsProblem =
  | { key: 'errEndpoints' }
  | { key: 'errEndpoint'; endpoint: string }
  | { key: 'errEndpointCount' };

export type NodeCount = '1' | '3' | '5' | '7';

/** The contract's rule for an endpoint. */
const ENDPOINT = /^(https?:\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

export function nameProblem(name: string, others: readonly ClusterSummary[]): NameProblem | null {
  const trimmed = name.trim();
  if (trimmed === '') return 'errName';
  if (trimmed.length > MAX_CLUSTER_NAME_CHARS) return 'errNameLong';
  return others.some((other) => other.name === trimmed) ? 'errNameTaken' : null;
}

/** A name that is free: "dev", "dev-2", and so on. */
export function freeName(base: string, others: readonly ClusterSummary[]): string {
  const taken = new Set(others.map((other) => other.name));
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  return name;
}

/** Separated by commas, blanks or line breaks. */
export function splitEndpoints(text: string): string[] {
  return text.split(/[\s,;，]+/u).filter((part) => part !== '');
}

export function endpointsProblem(text: string): EndpointsProblem | null {
  const endpoints = splitEndpoints(text);
  if (endpoints.length === 0) return { key: 'errEndpoints' };
  if (endpoints.length > MAX_ENDPOINTS) return { key: 'errEndpointCount' };
  const wrong = endpoints.find((endpoint) => !ENDPOINT.test(endpoint));
  return wrong === undefined ? null : { key: 'errEndpoint', endpoint: wrong };
}

/** Starts a cluster on this machine. */
export class LocalForm {
  name = $state('');
  nodes = $state<NodeCount>('3');
  /** Empty: any that are free. */
  port = $state('');
  busy = $state(false);
  failure = $state<string | null>(null);
  readonly portProblem = $derived.by((): PortProblem | null => {
    const text = this.port.trim();
    if (text === '') return null;
    const port = /^\d+$/.test(text) ? Number(text) : 0;
    return port >= 1_024 && port <= 65_000 ? null : 'errPort';
  });
  readonly #client: Pick<ContractClient, 'call'>;

  constructor(client: Pick<ContractClient, 'call'>, name: string) {
    this.#client = client;
    this.name = name;
  }

  /** The new cluster, or null if it was refused; `failure` then says why. */
  async submit(others: readonly ClusterSummary[]): Promise<ClusterSummary | null> {
    if (this.busy || nameProblem(this.name, others) !== null || this.portProblem !== null) {
      return null;
    }
    this.busy = true;
    this.failure = null;
    const port = this.port.trim();
    try {
      return await this.#client.call('clusters.createLocal', {
        name: this.name.trim(),
        nodes: Number(this.nodes) as 1 | 3 | 5 | 7,
        ...(port === '' ? {} : { basePort: Number(port) }),
      });
    } catch (error) {
      this.failure = errorText(error);
      return null;
    } finally {
      this.busy = false;
    }
  }
}

/** Adds a cluster that runs elsewhere. */
export class RemoteForm {
  name = $state('');
  endpoints = $state('');
  busy = $state(false);
  testing = $state(false);
  failure = $state<string | null>(null);
  tests = $state.raw<readonly EndpointTest[]>([]);
  /** What was tested: results of other endpoints say nothing. */
  testedText = $state('');
  /** Problems are told after the first try only. */
  touched = $state(false);
  readonly isTestStale = $derived(this.tests.length > 0 && this.testedText !== this.endpoints);
  readonly #client: Pick<ContractClient, 'call'>;

  constructor(client: Pick<ContractClient, 'call'>) {
    this.#client = client;
  }

  async test(): Promise<void> {
    this.touched = true;
    if (this.testing || endpointsProblem(this.endpoints) !== null) return;
    this.testing = true;
    this.failure = null;
    const text = this.endpoints;
    try {
      this.tests = await this.#client.call('clusters.testEndpoints', {
        endpoints: splitEndpoints(text),
      });
      this.testedText = text;
    } catch (error) {
      this.failure = errorText(error);
    } finally {
      this.testing = false;
    }
  }

  async submit(others: readonly ClusterSummary[]): Promise<ClusterSummary | null> {
    this.touched = true;
    if (this.busy || endpointsProblem(this.endpoints) !== null) return null;
    if (nameProblem(this.name, others) !== null) return null;
    this.busy = true;
    this.failure = null;
    try {
      return await this.#client.call('clusters.addRemote', {
        name: this.name.trim(),
        endpoints: splitEndpoints(this.endpoints),
      });
    } catch (error) {
      this.failure = errorText(error);
      return null;
    } finally {
      this.busy = false;
    }
  }
}
