/** One textual change of a product source. `find` is there exactly once. */
export interface Edit {
  /** Path from the root of the project. */
  file: string;
  find: string;
  replace: string;
}

/** A bug that is put into the simulator's bundle, to see whether the simulator finds it. */
export interface PlantedBug {
  /** In kebab case. */
  name: string;
  /** What it breaks, in one sentence; with the bug of history that it is modelled on, if there is one. */
  breaks: string;
  /** Properties, as the simulator names them, of which one must be the first that is found violated. */
  violates: readonly string[];
  /** Why no seed finds it, for one that is known not to be found. */
  missed?: string;
  /** Events of the safety phase, where the default does not do. */
  steps?: number;
  edits: readonly Edit[];
}
