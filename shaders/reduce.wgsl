// Reduction of a small cloud: one thread does it, column by column.
//
// In: columns, state COLUMNS. In and out: bits, pivots, owners, state REDUCED and CURRENT, which
// say how far it has come. One thread a cloud, a bounded number of additions a dispatch. Columns
// come in no order, so whoever finds its pivot owned by a younger column takes it, and the younger
// one goes on instead.
//#import cloud
//#import columns

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read> columns: array<vec4<u32>>;
//#split
@group(0) @binding(4) var<storage, read_write> bits: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> pivots: array<u32>;
@group(0) @binding(6) var<storage, read_write> owners: array<u32>;
//#import rows

const CLOUDS: u32 = 8u;    // a workgroup
const STEPS: u32 = 5000u;  // a dispatch; each goes through at most eight times four words of a row

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let item = (slice.cloud + group.z) * CLOUDS + lane;
    if item >= slice.a {
        return;
    }
    let c = clouds[item];
    let index = c.index;
    let at = index * STATE_WORDS;
    let count = min(state[at + COLUMNS], c.column_capacity);
    var next = state[at + REDUCED];
    var column = state[at + CURRENT] - 1u;
    for (var step = 0u; step < STEPS; step++) {
        if column == NO_EDGE {
            if next == count {
                break;
            }
            column = next;
            next++;
        }
        let pivot = pivots[c.columns + column];
        if pivot >= UNEXPANDED {
            column = NO_EDGE;
            continue;
        }
        let owner = owners[c.loops + pivot];
        if owner == NO_EDGE || owner == column {
            owners[c.loops + pivot] = column;
            column = NO_EDGE;
            continue;
        }
        var source = owner;
        if older(columns[c.columns + column], column, columns[c.columns + owner], owner) {
            owners[c.loops + pivot] = column;
            source = column;
            column = owner;
        }
        pivots[c.columns + column] = add_column(c, column, source, pivot);
    }
    state[at + REDUCED] = next;
    state[at + CURRENT] = column + 1u;
}
