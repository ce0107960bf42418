/* Points from text and from numpy's files. */

/** What was read: `{ numbers: Float32Array | Float64Array, points, features }`. */
const cloud = (numbers, features) => ({ numbers, features, points: numbers.length / features });

/** Files of more bytes are refused before they are read. */
const LARGEST = 400e6;
/** And more points while they are: no page would end with them. */
const MOST = 200_000;
const tooMany = (how) =>
  new Error(
    `${how} ${MOST.toLocaleString("en")} points, the most that this page takes: give it a part of them`,
  );

/** Reads a file by its name. */
export async function readFile(file) {
  if (file.size > LARGEST) {
    throw new Error(
      `${file.name} has ${Math.round(file.size / 1e6)} MB; a page can read up to ${LARGEST / 1e6}`,
    );
  }
  try {
    return /\.npy$/i.test(file.name) ? readNpy(await file.arrayBuffer()) : readText(await file.text());
  } catch (error) {
    throw new Error(`${file.name}: ${error.message}`);
  }
}

/** Numbers separated by commas, semicolons, blanks or tabs, one point a line. */
export function readText(text) {
  const numbers = [];
  let features = 0;
  let first = true;
  let at = 0;
  for (const whole of text.split(/\r\n?|\n/)) {
    at += 1;
    const line = whole.replace(/^\uFEFF/, "").trim();
    if (!line || line.startsWith("#")) continue;
    const fields = line.includes(",")
      ? line.split(",")
      : line.includes(";")
        ? line.split(";")
        : line.split(/\s+/);
    if (fields.length > 1 && fields.at(-1).trim() === "") fields.pop();
    const values = fields.map((field) => {
      const bare = field.trim().replace(/^(["'])(.*)\1$/, "$2");
      return bare === "" ? NaN : Number(bare);
    });
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      /* A first line of names. */
      const named = values.every(
        (value, i) => Number.isNaN(value) && !/^["']?(nan|[+-]?inf)/i.test(fields[i].trim()),
      );
      if (first && named) {
        first = false;
        continue;
      }
      throw new Error(`line ${at}: '${fields[bad].trim().slice(0, 40)}' is no finite number`);
    }
    if (!first && features && values.length !== features) {
      throw new Error(`line ${at} has ${values.length} numbers, and the lines before have ${features}`);
    }
    features = values.length;
    first = false;
    if (numbers.length >= MOST * features) throw tooMany(`line ${at} is beyond`);
    for (const value of values) numbers.push(value);
  }
  if (!numbers.length) throw new Error("there are no numbers");
  return cloud(Float64Array.from(numbers), features);
}

/** A table of numpy's: two axes, of any real type. */
export function readNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte)) throw new Error("this is no npy file");
  const view = new DataView(buffer);
  const long = bytes[6] > 1;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(long ? 12 : 10, start));
  const type = /'descr':\s*'([<>|=]?)([fiub])(\d+)'/.exec(header);
  const shape = /'shape':\s*\(([^)]*)\)/
    .exec(header)?.[1]
    .split(",")
    .filter((s) => s.trim())
    .map(Number);
  if (!type || !shape) throw new Error("its table holds no real numbers");
  if (shape.length > 2 || shape.length === 0)
    throw new Error(`its table has ${shape.length} axes; points have two`);
  const [, order, kind, size] = type;
  const little = order !== ">";
  if (shape[0] > MOST) throw tooMany(`its ${shape[0].toLocaleString("en")} points are more than`);
  const read = {
    f4: (at) => view.getFloat32(at, little),
    f8: (at) => view.getFloat64(at, little),
    i1: (at) => view.getInt8(at),
    i2: (at) => view.getInt16(at, little),
    i4: (at) => view.getInt32(at, little),
    i8: (at) => Number(view.getBigInt64(at, little)),
    u1: (at) => view.getUint8(at),
    b1: (at) => view.getUint8(at),
    u2: (at) => view.getUint16(at, little),
    u4: (at) => view.getUint32(at, little),
    u8: (at) => Number(view.getBigUint64(at, little)),
  }[kind + size];
  if (!read) throw new Error(`numbers of the type ${kind}${size} cannot be read`);
  const [points, features] = [shape[0], shape[1] ?? 1];
  if (buffer.byteLength - start < points * features * size)
    throw new Error("the file ends in the middle of its table");
  const columns = /'fortran_order':\s*True/.test(header);
  const numbers = new (kind + size === "f4" ? Float32Array : Float64Array)(points * features);
  for (let i = 0; i < points; i++) {
    for (let k = 0; k < features; k++) {
      const value = read(start + size * (columns ? k * points + i : i * features + k));
      if (!Number.isFinite(value)) throw new Error(`point ${i} has the coordinate ${value}`);
      numbers[i * features + k] = value;
    }
  }
  if (!numbers.length) throw new Error("there are no numbers");
  return cloud(numbers, features);
}
