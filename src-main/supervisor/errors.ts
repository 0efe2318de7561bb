/** What can go wrong here, as codes of CodedError. Messages name the file, port, node or pid. */
export type SupervisorErrorCode =
  /** A cluster.json that cannot be read as one of ours; it is left as it is. */
  | 'DefinitionCorrupt'
  /** A cluster.json written by a newer version. */
  | 'DefinitionVersion'
  /** What was asked for is not a valid cluster: names, ports, timing. */
  | 'DefinitionInvalid'
  | 'ClusterNotFound'
  | 'ClusterExists'
  | 'ClusterRunning'
  | 'NodeNotFound'
  /** The node has no process to act on. */
  | 'NodeNotRunning'
  | 'DataDirForeign'
  | 'DataDirUnwritable'
  | 'DataDirInUse'
  | 'PortInUse'
  | 'NoFreePorts'
  | 'SpawnFailed'
  | 'StopFailed'
  | 'Unsupported';
