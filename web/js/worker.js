/* The engine in a worker, so that the page never stands still. It takes one call at a time. */
import init, { Engines } from "./engine.js";

let engines = null;
let current = null;
let lastTold = 0;

/* Engines tell more often than anybody can read. */
function progress(what, done, total) {
  const now = performance.now();
  if (done === null || now - lastTold > 50) {
    lastTold = now;
    postMessage({ id: current, progress: { what, done, total } });
  }
  return true;
}

const calls = {
  async open({ gpu, wasm }) {
    await init({ module_or_path: wasm ?? new URL("engine_bg.wasm", import.meta.url) });
    engines = await Engines.open(gpu);
    return engines.about();
  },
  barcodes: ({ clouds, request }) => engines.barcodes(clouds, request, progress),
  picture: ({ cloud, metric }) => Engines.picture(cloud, metric),
  loseDevice: () => engines.loseDevice(),
};

function tell(id, error) {
  /* After a panic, or without its device, nothing of the engine is left: the next call opens another worker. */
  const trap = error instanceof WebAssembly.RuntimeError;
  const panic = globalThis.lacunaPanic;
  const told = panic ?? error?.message ?? String(error);
  const full =
    /allocation failed|capacity overflow|out of memory/i.test(told) || (trap && panic === undefined);
  const broken = trap || panic !== undefined || /was lost/.test(told);
  const message =
    full && broken ? "the memory that a page may take is used up: use fewer points, or a threshold" : told;
  postMessage({ id, error: message, broken });
}

/* What ends between two steps of a computation on the GPU reaches no call of ours. */
addEventListener("error", (event) => {
  event.preventDefault();
  tell(current, event.error ?? new Error(event.message));
});
addEventListener("unhandledrejection", (event) => tell(current, event.reason));

onmessage = async ({ data: { id, call, given } }) => {
  current = id;
  try {
    postMessage({ id, result: await calls[call](given) });
  } catch (error) {
    tell(id, error);
  }
};
