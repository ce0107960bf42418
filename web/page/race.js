/* Two networks learn side by side, and each layer's Betti numbers are computed as they do. */

/* Steps in the graph of 12 nearest points within which points count as close. */
const SCALE = 2.5;
const NEIGHBOURS = 12;
const [STEPS, EVERY] = [600, 20];
const ACTIVATIONS = [
  ["fold", "Fold"],
  ["relu", "ReLU"],
];
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b35a94", "#7a7a7a"];

const make = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

/** Components and loops that there are at the scale. */
async function betti(lacuna, { numbers, features }, signal) {
  const request = { features, dim: 1, metric: "knn-hops", k: NEIGHBOURS, engine: "cpu", signal };
  const { bars } = await lacuna.barcode(numbers, request);
  return bars.map((list) => list.filter(([birth, death]) => birth <= SCALE && SCALE < death).length);
}

/* One network: its table of layers, and the curve of components over steps. */
function runner(title) {
  const rows = ["input", "layer 1", "layer 2", "layer 3", "layer 4"].map((name) => {
    const cells = [make("td", {}, "-"), make("td", {}, "-")];
    return { cells, row: make("tr", {}, make("td", {}, name), ...cells) };
  });
  const head = make(
    "tr",
    {},
    make("th", {}, "points of the disks at"),
    make("th", {}, "pieces"),
    make("th", {}, "holes"),
  );
  const canvas = make("canvas", {
    role: "img",
    "aria-label": `${title}: pieces in every layer, over the steps of training`,
  });
  const accuracy = make("p", {}, "not begun");
  const figure = make(
    "figure",
    {},
    make("figcaption", {}, title),
    accuracy,
    make("table", {}, head, ...rows.map((r) => r.row)),
    make("p", { class: "hint" }, "Pieces in every layer over the steps:"),
    canvas,
  );
  const history = [];
  const draw = () => {
    const [width, height] = [canvas.clientWidth, 150];
    const fine = devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = width * fine;
    canvas.height = height * fine;
    const context = canvas.getContext("2d");
    context.setTransform(fine, 0, 0, fine, 0, 0);
    context.font = "11px system-ui, sans-serif";
    const ink = getComputedStyle(canvas).getPropertyValue("--ink") || "#222";
    const most = Math.max(10, ...history.flatMap((h) => h.layers.map((b) => b[0])));
    const [x, y] = [
      (step) => 22 + (step / STEPS) * (width - 70),
      (count) => height - 18 - (count / most) * (height - 30),
    ];
    context.fillStyle = ink;
    context.fillText(String(most), 2, y(most) + 4);
    context.fillText("0", 10, y(0) + 4);
    context.fillText(`${STEPS} steps`, x(STEPS) - 30, height - 3);
    rows.forEach((_, l) => {
      context.strokeStyle = COLOURS[l];
      context.lineWidth = 2;
      context.beginPath();
      history.forEach((h, i) => context[i ? "lineTo" : "moveTo"](x(h.step), y(h.layers[l][0]) - l));
      context.stroke();
      context.fillStyle = COLOURS[l];
      context.fillText(l ? `layer ${l}` : "input", width - 44, 14 + 13 * l);
    });
  };
  new ResizeObserver(draw).observe(figure);
  return {
    figure,
    show(step, right, layers) {
      history.push({ step, layers });
      accuracy.textContent = `step ${step}: ${(100 * right).toFixed(1)} % told right`;
      layers.forEach(([pieces, holes], l) => {
        rows[l].cells[0].textContent = pieces;
        rows[l].cells[1].textContent = holes;
      });
      draw();
    },
  };
}

/** Connects the second tab. `engine` gives the engine once it is there. */
export function race({ learn, halt, status, root }, engine) {
  let stopping = null;
  const end = (text) => {
    stopping?.abort();
    stopping = null;
    learn.disabled = false;
    halt.disabled = true;
    status.textContent = text;
  };
  halt.addEventListener("click", () => end("Stopped."));
  learn.addEventListener("click", async () => {
    learn.disabled = true;
    halt.disabled = false;
    const mine = (stopping = new AbortController());
    const runners = ACTIVATIONS.map(([, title]) => runner(title));
    root.replaceChildren(...runners.map((r) => r.figure));
    const seed = 1 + Math.floor(1e6 * Math.random());
    status.textContent = "Training ...";
    const first = {};
    const one = ([name, title], at) =>
      new Promise((resolve, reject) => {
        const worker = new Worker(new URL("learner.js", import.meta.url), { type: "module" });
        const stop = () => {
          worker.terminate();
          resolve();
        };
        mine.signal.addEventListener("abort", stop);
        worker.onerror = (event) => reject(new Error(event.message || "the training worker failed"));
        worker.onmessage = async ({ data }) => {
          if (data.done) return stop();
          try {
            const lacuna = await engine();
            const layers = [];
            for (const layer of data.layers) layers.push(await betti(lacuna, layer, mine.signal));
            if (mine.signal.aborted) return;
            runners[at].show(data.step, data.accuracy, layers);
            if (data.accuracy >= 0.99) first[title] ??= data.step;
            worker.postMessage({});
          } catch (error) {
            if (error.name === "AbortError") resolve();
            else reject(error);
          }
        };
        worker.postMessage({ name, steps: STEPS, every: EVERY, seed });
      });
    try {
      await Promise.all(ACTIVATIONS.map(one));
      if (stopping !== mine) return;
      const told = ACTIVATIONS.map(([, title]) =>
        first[title] === undefined
          ? `${title} did not reach 99 % in ${STEPS} steps`
          : `${title} reached 99 % at step ${first[title]}`,
      );
      end(`${told.join("; ")}. One pair of networks says little: train again for others.`);
    } catch (error) {
      if (stopping === mine) end(error.message);
    }
  });
}
