// What every stage knows about a cloud of the batch. In step with `CloudRecord` in src/topology/wgsl/layout.rs.

struct Cloud {
    n: u32,               // points
    features: u32,        // numbers per point
    offset: u32,          // first number of the first point
    stride: u32,          // from the beginning of a point to that of the next
    ranks: u32,           // first entry of the n x n table
    edges: u32,           // first entry in the arrays with one entry per pair
    pairs: u32,           // n (n - 1) / 2
    vertices: u32,        // first entry in the arrays with one entry per point
    empties: u32,         // first word of the bit set with one bit per pair
    histogram: u32,       // first counter of the sort
    adjacency: u32,       // first word of the n rows of adjacency bits
    words: u32,           // words per row: ceil(n / 32)
    columns: u32,         // first critical column
    column_capacity: u32, // how many of them fit
    bits: u32,            // first word of the columns' bits
    bit_words: u32,       // words per column: ceil(births / 32)
    loops: u32,           // first entry in the arrays with one entry per loop
    births: u32,          // number of loops
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
const STATE_WORDS: u32 = 7u;
const LIMIT: u32 = 0u;    // key of the longest edge that enters
const ENTERED: u32 = 1u;  // number of edges that enter
const BIRTHS: u32 = 2u;   // edges that open a loop
const MERGES: u32 = 3u;   // edges that merge two components
const COLUMNS: u32 = 4u;  // critical columns so far
const DEATHS: u32 = 5u;   // loops that have died
const FAILURE: u32 = 6u;  // bits below

const FAILED_NAN: u32 = 1u;      // a coordinate is not finite
const FAILED_COLUMNS: u32 = 2u;  // more critical columns than there is room for
const FAILED_LIST: u32 = 4u;     // a column had more edges than its list holds

const NO_EDGE: u32 = 0xffffffffu;  // no edge, no rank, no pivot, no owner
const NO_POINTS: u32 = 0xffffffffu;  // stride of a cloud whose distances the host gave
const MAX_KEY: u32 = 0x7f7fffffu;  // the largest finite length

// The role of an edge; below LOOP it is the apex of the lune.
const LOOP: u32 = 0x80000000u;     // LOOP + i opens loop i
const MERGE: u32 = 0xfffffffeu;    // merges two components
const UNSEEN: u32 = 0xffffffffu;   // the lune has points that have not been looked at yet

// Number of this workgroup when a long row of them is folded into two dimensions.
fn group_of(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}
