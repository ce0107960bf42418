/* Exact persistent homology on the visitor's own GPU, or on the processor where there is none. */

/** What ended a call that was stopped, as `fetch` does. */
const aborted = (signal) => signal.reason ?? new DOMException("the computation was stopped", "AbortError");

/** A cloud as the worker takes it. */
function checked({ numbers, points, features, distances = false, ends }) {
  const fits = [Float32Array, Float64Array].some((kind) => numbers instanceof kind);
  const array = fits ? numbers : Float64Array.from(numbers);
  if (ends) {
    if (ends.length !== 2 * array.length)
      throw new TypeError(`${array.length} lengths need twice as many ends, and there are ${ends.length}`);
    return { numbers: array, points, ends: Uint32Array.from(ends) };
  }
  if (distances) {
    const n = (1 + Math.sqrt(1 + 8 * array.length)) / 2;
    if (!Number.isInteger(n))
      throw new TypeError(`${array.length} numbers are no lower triangle of a matrix`);
    return { numbers: array };
  }
  const columns = features ?? (points ? array.length / points : undefined);
  if (columns === undefined)
    throw new TypeError("say how many features a point has, or how many points there are");
  if (
    !Number.isInteger(columns) ||
    columns < 1 ||
    array.length % columns ||
    (points && points * columns !== array.length)
  ) {
    throw new TypeError(
      `${array.length} numbers are no ${points ?? "whole number of"} points of ${columns} features`,
    );
  }
  return { numbers: array, features: columns };
}

export class Lacuna {
  #options;
  #worker = null;
  #opening = null;
  #waiting = new Map();
  #last = 0;
  #queue = Promise.resolve();

  constructor(options) {
    this.#options = options;
    /** What there is: `{ gpu, adapter, software, maxPoints, why }`. */
    this.about = null;
  }

  /** Starts the worker and asks the browser for its GPU. */
  static async create(options = {}) {
    const lacuna = new Lacuna({ gpu: true, ...options });
    await lacuna.#open();
    return lacuna;
  }

  #open() {
    this.#opening ??= (async () => {
      const url = this.#options.worker ?? new URL("worker.js", import.meta.url);
      this.#worker = new Worker(url, { type: "module" });
      this.#worker.onmessage = ({ data }) => this.#hear(data);
      this.#worker.onerror = (event) => this.#break(event.message || "the worker could not be started");
      this.about = await this.#ask("open", { gpu: this.#options.gpu, wasm: this.#options.wasm });
      return this.about;
    })();
    return this.#opening;
  }

  #hear({ id, result, error, broken, progress }) {
    const call = this.#waiting.get(id);
    if (!call) return;
    if (progress) {
      call.onProgress?.(progress);
      return;
    }
    this.#waiting.delete(id);
    if (broken) this.close();
    if (error === undefined) call.resolve(result);
    else call.reject(new Error(error));
  }

  #break(message) {
    for (const call of this.#waiting.values()) call.reject(new Error(message));
    this.close();
  }

  #ask(call, given, { transfer = [], onProgress } = {}) {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#waiting.set(id, { resolve, reject, onProgress });
      this.#worker.postMessage({ id, call, given }, transfer);
    });
  }

  /* One call after the other; a stopped one takes its worker along, and the next opens another. */
  #call(call, given, { onProgress, signal } = {}) {
    const run = async () => {
      if (signal?.aborted) throw aborted(signal);
      let stop;
      const stopped = new Promise((_, reject) => {
        stop = () => {
          this.close();
          reject(aborted(signal));
        };
        signal?.addEventListener("abort", stop);
      });
      try {
        return await Promise.race([stopped, this.#open().then(() => this.#ask(call, given, { onProgress }))]);
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    };
    const result = this.#queue.then(run, run);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** The barcode of points, distances or a graph. See lacuna.d.ts. */
  async barcode(numbers, request = {}, onProgress = undefined) {
    const { points, features, distances, ends, ...rest } = request;
    const [found] = await this.barcodes([{ numbers, points, features, distances, ends }], rest, onProgress);
    return found;
  }

  /** The barcodes of many clouds, in one call. */
  async barcodes(clouds, request = {}, onProgress = undefined) {
    const { signal, ...asked } = request;
    const given = { clouds: clouds.map(checked), request: asked };
    const all = await this.#call("barcodes", given, { onProgress, signal });
    const rows = (flat, of) =>
      Array.from({ length: flat.length / of }, (_, i) => Array.from(flat.slice(of * i, of * i + of)));
    return all.map((found) => ({
      ...found,
      bars: found.bars.map((flat) => rows(flat, 2)),
      ...(found.edges && { edges: found.edges.map((flat) => rows(flat, 4)) }),
      ...(found.cycles && {
        cycles: found.cycles.map((cycle) => ({ ...cycle, edges: rows(cycle.edges, 2) })),
      }),
    }));
  }

  /** Where points are drawn, and their shortest edges; null for more points than a page shows. */
  async picture(numbers, features, metric = "euclidean") {
    return this.#call("picture", { cloud: checked({ numbers, features }), metric });
  }

  /** Destroys the device as a driver reset would. For tests. */
  async loseDevice() {
    return this.#call("loseDevice", {});
  }

  /** Ends the worker. A later call starts another one. */
  close() {
    this.#worker?.terminate();
    this.#worker = null;
    this.#opening = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    /* Who waits for what was stopped hears it from the signal; all others from here. */
    for (const call of waiting) call.reject(new DOMException("the worker was ended", "AbortError"));
  }
}
