// What every stage knows about a cloud of the batch. In step with `CloudRecord` in
// src/topology/gpu/layout.rs.

struct Cloud {
    index: u32,           // where its state is
    n: u32,               // points
    features: u32,        // numbers per point
    offset: u32,          // first number of the first point
    stride: u32,          // from the beginning of a point to that of the next
    table: u32,           // first entry of the table of keys, n rows, the first multiple of 4
    row: u32,             // entries of a row of the table: n, rounded up to a multiple of 4
    pairs: u32,           // n (n - 1) / 2
    roles: u32,           // first entry in the arrays with one entry per pair
    vertices: u32,        // first entry in the arrays with one entry per point
    graph: u32,           // first edge of the relative neighbourhood graph
    graph_capacity: u32,  // how many of them fit
    quads: u32,           // four words of a set of points: ceil(n / 128)
    levels: u32,          // first four words of the n rows of bits of each level
    thresholds: u32,      // first four of the 16 thresholds
    columns: u32,         // first critical column
    column_capacity: u32, // how many of them fit
    bits: u32,            // first four words of the columns' bits
    bit_quads: u32,       // four words of a column: ceil(births / 128)
    loops: u32,           // first entry in the arrays with one entry per loop
    births: u32,          // number of loops
    low: u32,             // the block that is being looked at: edges with keys from here
    high: u32,            // up to here
    todo: u32,            // first entry in the lists of edges
    todo_capacity: u32,   // how many edges a list has room for
}

// One dispatch: the first item and the first cloud of its slice, and two numbers whose meaning is
// the stage's.
struct Slice {
    first: u32,
    cloud: u32,
    a: u32,
    b: u32,
}

// What the stages find out about a cloud: entry `cloud * STATE_WORDS + name` of an array of
// atomics.
const STATE_WORDS: u32 = 13u;
const LIMIT: u32 = 0u;       // key of the longest edge that enters
const GRAPH: u32 = 1u;       // edges of the relative neighbourhood graph
const BIRTHS: u32 = 2u;      // those of them that open a loop
const MERGES: u32 = 3u;      // those that merge two components
const LAST_BIRTH: u32 = 4u;  // key of the last loop-opening edge
const TODO: u32 = 5u;        // edges of the block; before, those that may be of the graph
const PENDING: u32 = 6u;     // those of them whose links are no cones at first look
const COLUMNS: u32 = 7u;     // critical columns so far
const REDUCED: u32 = 8u;     // those of them that have been begun, where one thread reduces them, ...
const CURRENT: u32 = 12u;    // ... and one more than the column that it is at, 0 if none
const DEATHS: u32 = 9u;      // loops that have died
const OPEN: u32 = 10u;       // edges whose links may hold loops
const FAILURE: u32 = 11u;    // bits below

const FAILED_NAN: u32 = 1u;      // a coordinate, or the distance of two points, is not finite
const FAILED_COLUMNS: u32 = 2u;  // more critical columns than there is room for
const FAILED_LIST: u32 = 4u;     // a column had more edges than its list holds
const FAILED_GRAPH: u32 = 8u;    // more edges with an empty lune than there is room for
const FAILED_LOOPS: u32 = 16u;   // the driver ended a loop early

const ROOT: u32 = 0x80000000u;  // in a forest: ROOT + points of the tree, at its root; elsewhere the parent

const NO_EDGE: u32 = 0xffffffffu;  // no edge, no pivot, no owner
const NO_POINTS: u32 = 0xffffffffu;  // stride of a cloud whose distances the host gave
const MAX_KEY: u32 = 0x7f7fffffu;  // the largest finite length

// The role of an edge; otherwise it is one more than a point of the lune.
const UNSEEN: u32 = 0u;            // has not been looked at yet
const LOOP: u32 = 0x80000000u;     // LOOP + i opens loop i
const MERGE: u32 = 0xfffffffeu;    // merges two components

// Whether the driver has ended this thread's loops early. Mesa's software driver lets a thread pass
// 65,535 times through all of its loops together; then it goes on behind them as if they had ended.
// So does this loop, which must turn more than once: `n` is a number of at least 2 that the
// compiler does not know.
fn cut_short(n: u32) -> bool {
    let turns = min(n, 3u);
    var done = 0u;
    while done < turns {
        done++;
    }
    return done < turns;
}

// Number of this workgroup when a long row of them is folded into two dimensions.
fn group_of(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}

// An edge is named by its ends, the larger first; names are in the order of the indices of pairs.
fn name_of(v: u32, w: u32) -> u32 {
    return (max(v, w) << 16u) | min(v, w);
}

// Where the pair of two points stands in arrays with one entry per pair.
fn pair_of(v: u32, w: u32) -> u32 {
    let i = max(v, w);
    return i * (i - 1u) / 2u + min(v, w);
}

// The larger point of pair `t`.
fn larger_of(t: u32) -> u32 {
    var i = u32((sqrt(8.0 * f32(t) + 1.0) + 1.0) * 0.5);
    while i > 1u && i * (i - 1u) / 2u > t {
        i--;
    }
    while i * (i + 1u) / 2u <= t {
        i++;
    }
    return i;
}

// Whether the edge of key k between v and w is shorter than the edge `name` of key `key`; equal
// lengths go by name.
fn before(k: u32, v: u32, w: u32, key: u32, name: u32) -> bool {
    return k < key || (k == key && name_of(v, w) < name);
}
