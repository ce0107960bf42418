/** What the browser offers. */
export interface About {
  /** Whether there is a GPU. */
  gpu: boolean;
  /** Its name, as far as the browser tells it. */
  adapter?: string;
  /** Whether it is a program on the processor. */
  software?: boolean;
  /** Most points of a cloud on it. */
  maxPoints?: number;
  /** Why there is no GPU. */
  why: string;
}

/** How the numbers of a cloud are meant. */
export interface Shape {
  /** Number of points. Of points this or `features` is needed; of a graph it is its vertices. */
  points?: number;
  /** Coordinates of a point. */
  features?: number;
  /** The numbers are the lower triangle of a distance matrix, row by row, without the diagonal. */
  distances?: boolean;
  /** The numbers are the lengths of a graph's edges, and these the ends, two for each. */
  ends?: ArrayLike<number>;
}

export interface Given extends Shape {
  /** Row by row. */
  numbers: Float32Array | Float64Array | ArrayLike<number>;
}

export interface Request {
  /** Highest dimension, 0 to 3. 1 by default. */
  dim?: number;
  /**
   * "euclidean" by default; also "sqeuclidean", "cityblock", "chebyshev", "cosine", "correlation", and
   * "knn-hops": steps in the graph in which every point is joined to its `k` nearest.
   */
  metric?: string;
  /** Neighbours of a point, for "knn-hops". */
  k?: number;
  /** Longest edge that enters. */
  threshold?: number;
  /** Most points: of more, a sample is taken. */
  maxPoints?: number;
  /** Cycles of so many longest bars of dimension 1. The native engine finds them. */
  cycles?: number;
  /** The edges at which bars begin and end. The native engine finds them. */
  edges?: boolean;
  /** "auto" takes the GPU unless it is a software one. */
  engine?: "auto" | "gpu" | "cpu";
  /** Stops the computation. */
  signal?: AbortSignal;
}

export interface Cycle {
  birth: number;
  /** Infinity if it never dies. */
  death: number;
  edges: [number, number][];
}

export interface Barcode {
  /** Number of points. */
  n: number;
  metric: string;
  threshold: number | null;
  /** Number of points that were given, if these are a sample of them. */
  sampledFrom: number | null;
  /** How far the point is that is farthest from the sample. */
  coveringRadius: number | null;
  /** For every dimension its bars as birth and death; Infinity never dies. */
  bars: [number, number][][];
  /**
   * For every bar `[u, v, x, y]`: the edge at its birth and the edge at its death, -1 for none. In
   * dimension 0 `u` and `v` are the vertex that is born.
   */
  edges?: [number, number, number, number][][];
  cycles?: Cycle[];
  /** "gpu" or "cpu". */
  engine: string;
  adapter: string;
  /** Seconds that the engine took. */
  seconds: number | null;
}

export interface Progress {
  what: string;
  /** Null for a remark. */
  done: number | null;
  total: number | null;
}

/** What a page draws of points. */
export interface Picture {
  /** Coordinates in two or three dimensions, point by point. */
  places: Float32Array[];
  /** What the coordinates are, in words. */
  axes: string;
  /** Ends of the shortest edges, two for each. */
  ends: Uint32Array;
  /** Their lengths, ascending. */
  lengths: Float32Array;
  /** Whether these are all edges. */
  whole: boolean;
}

export interface Options {
  /** Whether to ask for a GPU. */
  gpu?: boolean;
  /** Where worker.js is, if not beside lacuna.js. */
  worker?: string | URL;
  /** Where engine_bg.wasm is, if not beside worker.js. */
  wasm?: string | URL;
}

/**
 * The engine, in a worker of its own. Calls are answered one after the other.
 *
 * ```js
 * const lacuna = await Lacuna.create();
 * const { bars } = await lacuna.barcode(new Float32Array([0, 0, 1, 0, 1, 1, 0, 1]), { features: 2 });
 * // bars[1] is [[1, 1.4142135]]: one loop, from 1 to the square root of 2
 * ```
 */
export class Lacuna {
  /** What the browser offers; null before the worker has started. */
  readonly about: About | null;

  /** Starts the worker and asks the browser for its GPU. */
  static create(options?: Options): Promise<Lacuna>;

  /**
   * The barcode of points, row by row, of distances or of a graph.
   *
   * Rejects with a TypeError for a shape that does not fit, with an Error that says what is wrong
   * with the input or the device, and with the signal's reason where it is stopped.
   */
  barcode(
    numbers: Float32Array | Float64Array | ArrayLike<number>,
    request?: Request & Shape,
    onProgress?: (progress: Progress) => void,
  ): Promise<Barcode>;

  /** The barcodes of many clouds in one call, in order: on a GPU faster than one by one. */
  barcodes(clouds: Given[], request?: Request, onProgress?: (progress: Progress) => void): Promise<Barcode[]>;

  /** Where points are drawn, and their shortest edges; null for more points than a page shows. */
  picture(numbers: Float32Array | Float64Array, features: number, metric?: string): Promise<Picture | null>;

  /** Ends the worker. A later call starts another one. */
  close(): void;
}
