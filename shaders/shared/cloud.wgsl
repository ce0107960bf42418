// What every stage knows about a cloud of the batch. In step with `CloudRecord` in src/topology/wgsl/layout.rs.

struct Cloud {
    n: u32,               // points
    features: u32,        // numbers per point
    offset: u32,          // first number of the first point
    stride: u32,          // from the beginning of a point to that of the next
    table: u32,           // first entry of the n x n table of keys
    pairs: u32,           // n (n - 1) / 2
    roles: u32,           // first entry in the arrays with one entry per pair
    vertices: u32,        // first entry in the arrays with one entry per point
    graph: u32,           // first edge of the relative neighbourhood graph
    graph_capacity: u32,  // how many of them fit
    words: u32,           // words of a set of points: ceil(n / 32)
    levels: u32,          // first word of the n rows of bits of each level
    thresholds: u32,      // first threshold
    columns: u32,         // first critical column
    column_capacity: u32, // how many of them fit
    bits: u32,            // first word of the columns' bits
    bit_words: u32,       // words per column: ceil(births / 32)
    loops: u32,           // first entry in the arrays with one entry per loop
    births: u32,          // number of loops
    low: u32,             // the block that is being looked at: edges with keys from here
    high: u32,            // up to here
    done: u32,            // 1: every loop has died, skip the rest
}

// One dispatch: the first item and the first cloud of its slice, and two numbers whose meaning is the stage's.
struct Slice {
    first: u32,
    cloud: u32,
    a: u32,
    b: u32,
}

// What the stages find out about a cloud: entry `cloud * STATE_WORDS + name` of an array of atomics.
const STATE_WORDS: u32 = 9u;
const LIMIT: u32 = 0u;       // key of the longest edge that enters
const GRAPH: u32 = 1u;       // edges of the relative neighbourhood graph
const BIRTHS: u32 = 2u;      // those of them that open a loop
const MERGES: u32 = 3u;      // those that merge two components
const LAST_BIRTH: u32 = 4u;  // key of the last loop-opening edge
const PENDING: u32 = 5u;     // edges of the block whose links are no cones at first look
const COLUMNS: u32 = 6u;     // critical columns so far
const DEATHS: u32 = 7u;      // loops that have died
const FAILURE: u32 = 8u;     // bits below

const FAILED_NAN: u32 = 1u;      // a coordinate is not finite
const FAILED_COLUMNS: u32 = 2u;  // more critical columns than there is room for
const FAILED_LIST: u32 = 4u;     // a column had more edges than its list holds
const FAILED_GRAPH: u32 = 8u;    // more edges with an empty lune than there is room for

const NO_EDGE: u32 = 0xffffffffu;  // no edge, no pivot, no owner
const NO_POINTS: u32 = 0xffffffffu;  // stride of a cloud whose distances the host gave
const MAX_KEY: u32 = 0x7f7fffffu;  // the largest finite length

// The role of an edge; below LOOP it is a point of the lune.
const LOOP: u32 = 0x80000000u;     // LOOP + i opens loop i
const MERGE: u32 = 0xfffffffeu;    // merges two components
const UNSEEN: u32 = 0xffffffffu;   // the lune has points that have not been looked at yet

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

// Whether the edge of key k between v and w is shorter than the edge `name` of key `key`; equal lengths go by name.
fn before(k: u32, v: u32, w: u32, key: u32, name: u32) -> bool {
    return k < key || (k == key && name_of(v, w) < name);
}
