/* What the package promises, tried in a browser. `browser.py` serves it and hears the answer. */
import { Lacuna } from "./lacuna.js";

const answer = { passed: [], failed: [] };
const check = (what, holds, why = "") =>
  (holds ? answer.passed : answer.failed).push(holds ? what : `${what} ${why}`);
const attempt = async (what, work) => {
  try {
    await work();
  } catch (error) {
    check(what, false, `threw ${error?.stack ?? error}`);
  }
};

/* Births and deaths of the native program, which writes the shortest digits that name a number of 32 bits. */
const wanted = (bars) =>
  JSON.stringify(
    bars.map((list) => list.map(([b, d]) => [Math.fround(b), d === null ? null : Math.fround(d)])),
  );
const got = (bars) => JSON.stringify(bars, (_, value) => (value === Infinity ? null : value));
const uniform = (points, features, seed = 1) => {
  let state = seed;
  return Float32Array.from({ length: points * features }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  });
};
const rejects = async (what, promise, text) => {
  try {
    await promise;
    check(what, false, "was not refused");
  } catch (error) {
    check(
      `${what}: "${error.message}"`,
      error.message.includes(text),
      `says "${error.message}" and not "${text}"`,
    );
  }
};

await attempt("everything", async () => {
  const lacuna = await Lacuna.create();
  check("the browser has a GPU", lacuna.about.gpu, lacuna.about.why);
  check("the GPU has a name and a limit", lacuna.about.adapter.length > 0 && lacuna.about.maxPoints > 1000);

  const cases = await (await fetch("cases.json")).json();
  for (const engine of ["cpu", "gpu"]) {
    const wrong = [];
    for (const { name, cloud, request, bars } of cases) {
      const found = await lacuna.barcodes([{ ...cloud, numbers: Float64Array.from(cloud.numbers) }], {
        ...request,
        engine,
      });
      const native = cloud.ends ? "cpu" : engine;
      if (got(found[0].bars) !== wanted(bars)) wrong.push(name);
      else if (found[0].engine !== native && !cloud.ends) wrong.push(`${name} ran on ${found[0].engine}`);
    }
    check(
      `${cases.length} golden cases on the engine ${engine} are the native program's, bit for bit`,
      wrong.length === 0,
      wrong.join(", "),
    );
  }

  await attempt("a batch", async () => {
    const plain = cases.filter(
      (c) => c.request.dim === 1 && c.request.metric === "euclidean" && !("threshold" in c.request),
    );
    const clouds = plain.map((c) => ({ ...c.cloud, numbers: Float64Array.from(c.cloud.numbers) }));
    for (const tinyPools of [false, true]) {
      const found = await lacuna.barcodes(clouds, { engine: "gpu", tinyPools });
      const wrong = plain.filter((c, i) => got(found[i].bars) !== wanted(c.bars)).map((c) => c.name);
      check(
        `a batch of ${clouds.length} clouds${tinyPools ? " that outgrow their memory" : ""}`,
        wrong.length === 0,
        wrong.join(", "),
      );
    }
  });

  await attempt("both engines", async () => {
    for (const [points, dim] of [
      [300, 2],
      [2000, 1],
    ]) {
      const cloud = uniform(points, 3);
      const [cpu, gpu] = [
        await lacuna.barcode(cloud, { features: 3, dim, engine: "cpu" }),
        await lacuna.barcode(cloud, { features: 3, dim, engine: "gpu" }),
      ];
      check(
        `${points} points up to dimension ${dim} are alike on both engines (${gpu.seconds.toFixed(3)} s and ${cpu.seconds.toFixed(3)} s)`,
        got(cpu.bars) === got(gpu.bars),
      );
    }
    const large = await lacuna.barcode(uniform(5000, 3), { features: 3, engine: "cpu" });
    check(`5,000 points on the processor (${large.seconds.toFixed(3)} s)`, large.bars[0].length === 5000);
  });

  await attempt("edges and cycles", async () => {
    const square = [0, 0, 1, 0, 1, 1, 0, 1];
    const found = await lacuna.barcode(square, { features: 2, edges: true, cycles: 1, engine: "gpu" });
    check(
      "a square has one loop, its edges and its cycle",
      found.bars[1].length === 1 && found.cycles[0].edges.length === 4 && found.edges[1].length === 1,
    );
    check("what the native engine found says so", found.engine === "cpu");
  });

  await attempt("samples", async () => {
    const found = await lacuna.barcode(uniform(400, 2), { features: 2, maxPoints: 100 });
    check(
      "a sample tells its covering radius",
      found.n === 100 && found.sampledFrom === 400 && found.coveringRadius > 0,
    );
  });

  await rejects(
    "a coordinate that is no number",
    lacuna.barcode(new Float32Array([0, NaN, 1, 1]), { features: 2 }),
    "finite",
  );
  await rejects(
    "numbers that make no whole points",
    lacuna.barcode(new Float32Array(5), { features: 2 }),
    "points",
  );
  await rejects("no shape", lacuna.barcode(new Float32Array(4)), "features");
  await rejects(
    "an unknown metric",
    lacuna.barcode(new Float32Array(4), { features: 2, metric: "taxi" }),
    "taxi",
  );
  await rejects(
    "too many points for the GPU",
    lacuna.barcode(uniform(70000, 16), { features: 16, engine: "gpu" }),
    "70000 points",
  );
  await rejects("dimension 4", lacuna.barcode(new Float32Array(4), { features: 2, dim: 4 }), "dimension");
  check("it goes on after all that", (await lacuna.barcode([0, 1, 3], { features: 1 })).bars[0].length === 3);

  await attempt("stopping", async () => {
    const stop = new AbortController();
    const begun = performance.now();
    let heard = 0;
    const running = lacuna.barcode(
      uniform(6000, 12),
      { features: 12, engine: "cpu", signal: stop.signal },
      () => {
        heard += 1;
        stop.abort();
      },
    );
    let name = "";
    try {
      await running;
    } catch (error) {
      name = error.name;
    }
    check(
      "a computation tells its progress and is stopped",
      name === "AbortError" && heard > 0,
      `${name} after ${heard} reports`,
    );
    check("and the next one runs", (await lacuna.barcode([0, 1, 3], { features: 1 })).bars[0].length === 3);
    answer.stopped = performance.now() - begun;
  });

  await attempt("losing the device", async () => {
    await lacuna.loseDevice();
    await rejects("a lost device", lacuna.barcode(uniform(50, 2), { features: 2, engine: "gpu" }), "lost");
    const again = await lacuna.barcode(uniform(50, 2), { features: 2, engine: "gpu" });
    check("the next call opens another one", again.engine === "gpu" && again.bars[0].length === 50);
  });

  await attempt("too much memory", async () => {
    await rejects(
      "60,000 points of 16 coordinates",
      lacuna.barcode(
        new Float32Array(60000 * 16).map((_, i) => i % 977),
        { features: 16, engine: "cpu" },
      ),
      "points",
    );
    check(
      "it goes on after that too",
      (await lacuna.barcode([0, 1, 3], { features: 1 })).bars[0].length === 3,
    );
  });

  await attempt("without a GPU", async () => {
    const plain = await Lacuna.create({ gpu: false });
    await rejects(
      "a GPU that was not asked for",
      plain.barcode([0, 1], { features: 1, engine: "gpu" }),
      "not asked for",
    );
    check("the processor takes its place", (await plain.barcode([0, 1], { features: 1 })).engine === "cpu");
    plain.close();
  });
  lacuna.close();
});

const strange = performance
  .getEntriesByType("resource")
  .map((e) => e.name)
  .filter((name) => !name.startsWith(location.origin));
check("nothing is asked of another address", strange.length === 0, strange.join(", "));
await fetch("/answer", { method: "POST", body: JSON.stringify(answer) });
