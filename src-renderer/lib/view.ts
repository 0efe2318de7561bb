import type { ClusterOverview, ClusterSummary } from '../../src-main/contract/views.ts';
import type { ContractClient } from '../api/client.ts';

/** From the route: `#/c/<id>/keys?prefix=%2Fconfig%2F`. */
export type ViewParams = Readonly<Record<string, string>>;

/** What every view gets. */
export interface ViewProps {
  cluster: ClusterSummary;
  /** The newest item of the shared overview stream; null until the first. */
  overview: ClusterOverview | null;
  client: ContractClient;
  params: ViewParams;
}
