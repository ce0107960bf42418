/* A small perceptron that learns to tell nine disks from what lies between them, in a worker of its own. */
import { random } from "./clouds.js";

const WIDTHS = [2, 16, 16, 16, 16, 2];
const [RATE, BETA1, BETA2, TINY] = [0.005, 0.9, 0.999, 1e-8];
/* The fold has the mean 0 and the variance 1 for inputs of a normal distribution, and weights of its own variance. */
const [CENTRE, GAIN] = [0.7978845608, 1.6588967];
const ACTIVATIONS = {
  fold: { value: (x) => GAIN * (Math.abs(x) - CENTRE), slope: (x) => (x < 0 ? -GAIN : GAIN), variance: 0.6 },
  relu: { value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0), variance: 2 },
};

/** Points of a square: those of nine disks, and those between them with a gap. */
export function disks(count, seed) {
  const next = random(seed);
  const [points, labels] = [new Float64Array(2 * count), new Uint8Array(count)];
  for (let i = 0; i < count;) {
    const [x, y] = [2 * next() - 1, 2 * next() - 1];
    const near = (v) => Math.round(Math.max(-1, Math.min(1, v / 0.66))) * 0.66;
    const far = Math.hypot(x - near(x), y - near(y));
    const inside = far < 0.22;
    if ((!inside && far < 0.28) || inside !== (i % 2 === 0)) continue;
    points.set([x, y], 2 * i);
    labels[i] = inside;
    i++;
  }
  return { points, labels, count };
}

function network(activation, seed) {
  const next = random(seed);
  const gauss = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const layer = (from, to, variance) => {
    const size = from * to + to;
    const weights = new Float64Array(size);
    for (let k = 0; k < from * to; k++) weights[k] = gauss() * Math.sqrt(variance / from);
    return {
      from,
      to,
      weights,
      slopes: new Float64Array(size),
      first: new Float64Array(size),
      second: new Float64Array(size),
    };
  };
  const { variance } = ACTIVATIONS[activation];
  /* The input has a variance of a third. */
  return WIDTHS.slice(1).map((to, l) =>
    layer(WIDTHS[l], to, l === 0 ? 3 * variance : l === WIDTHS.length - 2 ? 1 : variance),
  );
}

/** All layers' values for one set of points: before and after the activation. */
function forward(net, { value }, points, count) {
  const steps = [{ after: points }];
  net.forEach(({ from, to, weights }, l) => {
    const [before, after] = [new Float64Array(count * to), new Float64Array(count * to)];
    const input = steps[l].after;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < to; j++) {
        let sum = weights[from * to + j];
        for (let k = 0; k < from; k++) sum += weights[j * from + k] * input[i * from + k];
        before[i * to + j] = sum;
        after[i * to + j] = l + 1 < net.length ? value(sum) : sum;
      }
    }
    steps.push({ before, after });
  });
  return steps;
}

/** One step of Adam over all points. Returns the part of them that was told right before it. */
function step(net, activation, { points, labels, count }, time) {
  const steps = forward(net, activation, points, count);
  let right = 0;
  let back = new Float64Array(count * 2);
  const logits = steps.at(-1).after;
  for (let i = 0; i < count; i++) {
    const [a, b] = [logits[2 * i], logits[2 * i + 1]];
    const one = 1 / (1 + Math.exp(a - b));
    right += b > a === (labels[i] === 1);
    back[2 * i + 1] = (one - labels[i]) / count;
    back[2 * i] = -back[2 * i + 1];
  }
  for (let l = net.length - 1; l >= 0; l--) {
    const { from, to, weights, slopes, first, second } = net[l];
    const input = steps[l].after;
    const next = new Float64Array(count * from);
    slopes.fill(0);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < to; j++) {
        const slope = back[i * to + j];
        if (slope === 0) continue;
        slopes[from * to + j] += slope;
        for (let k = 0; k < from; k++) {
          slopes[j * from + k] += slope * input[i * from + k];
          next[i * from + k] += slope * weights[j * from + k];
        }
      }
    }
    if (l > 0) for (let m = 0; m < next.length; m++) next[m] *= activation.slope(steps[l].before[m]);
    for (let m = 0; m < weights.length; m++) {
      first[m] = BETA1 * first[m] + (1 - BETA1) * slopes[m];
      second[m] = BETA2 * second[m] + (1 - BETA2) * slopes[m] ** 2;
      const size = Math.sqrt(second[m] / (1 - BETA2 ** time)) + TINY;
      weights[m] -= (RATE * first[m]) / (1 - BETA1 ** time) / size;
    }
    back = next;
  }
  return right / count;
}

/* `{ name, steps, every, seed }` begins; any other message lets it go on to the next report. */
let goOn = null;
self.onmessage = async ({ data }) => {
  if (!data.name) {
    goOn?.();
    return;
  }
  const { name, steps, every, seed } = data;
  const activation = ACTIVATIONS[name];
  const train = disks(800, 11);
  const seen = disks(600, 12);
  const net = network(name, seed);
  for (let time = 0; time <= steps; time++) {
    const accuracy = step(net, activation, train, time + 1);
    if (time % every) continue;
    const all = forward(net, activation, seen.points, seen.count);
    const inside = Array.from(seen.labels.keys()).filter((i) => seen.labels[i]);
    const layers = all.slice(0, -1).map(({ after }, l) => {
      const wide = WIDTHS[l];
      return {
        features: wide,
        numbers: Float32Array.from(
          inside.flatMap((i) => Array.from(after.subarray(i * wide, (i + 1) * wide))),
        ),
      };
    });
    const goingOn = new Promise((resolve) => (goOn = resolve));
    postMessage({ step: time, accuracy, layers });
    await goingOn;
  }
  postMessage({ done: true });
};
