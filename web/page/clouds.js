/* Clouds that come along: the same points at every visit. */

/** A small generator of numbers between 0 and 1 with a seed (xorshift). */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

const gauss = (next) => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

const cloud = (count, features, point) => () => {
  const next = random(7);
  const numbers = new Float32Array(count * features);
  for (let i = 0; i < count; i++) numbers.set(point(next, i), i * features);
  return { numbers, features, points: count };
};

const circle = (next) => {
  const turn = 2 * Math.PI * next(),
    far = 1 + 0.08 * gauss(next);
  return [far * Math.cos(turn), far * Math.sin(turn)];
};

const sphere = (next) => {
  const p = [gauss(next), gauss(next), gauss(next)],
    far = Math.hypot(...p);
  return p.map((x) => x / far);
};

const torus = (next) => {
  for (;;) {
    const [u, v] = [2 * Math.PI * next(), 2 * Math.PI * next()];
    /* Evenly over the surface: the inside has less of it. */
    if (next() * 1.4 < 1 + 0.4 * Math.cos(v)) {
      return [
        (1 + 0.4 * Math.cos(v)) * Math.cos(u),
        (1 + 0.4 * Math.cos(v)) * Math.sin(u),
        0.4 * Math.sin(v),
      ];
    }
  }
};

const links = (next) => {
  const turn = 2 * Math.PI * next(),
    noise = () => 0.03 * gauss(next);
  return next() < 0.5
    ? [Math.cos(turn) + noise(), Math.sin(turn) + noise(), noise()]
    : [1 + Math.cos(turn) + noise(), noise(), Math.sin(turn) + noise()];
};

/** Name, what is in it, and how it is made; the first is read from a file. */
export const CLOUDS = [
  { name: "Nine holes: 800 points of a square without nine disks", file: "nine-holes.csv" },
  { name: "A noisy circle: 400 points", make: cloud(400, 2, circle) },
  { name: "Two linked rings in space: 600 points", make: cloud(600, 3, links) },
  { name: "A torus in space: 1,000 points (try dimension 2)", make: cloud(1000, 3, torus) },
  { name: "A sphere in space: 500 points (try dimension 2)", make: cloud(500, 3, sphere) },
  { name: "A cube, filled: 2,000 points", make: cloud(2000, 3, (next) => [next(), next(), next()]) },
  {
    name: "Gaussian points of 16 coordinates: 1,000",
    make: cloud(1000, 16, (next) => Array.from({ length: 16 }, () => gauss(next))),
  },
];
