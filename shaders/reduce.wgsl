// Reduction of a small cloud: one thread does it, column by column.
//
// In: columns, state COLUMNS. In and out: bits, pivots, owners, state REDUCED. One thread a cloud. Columns come in no order, so
// whoever finds its pivot owned by a younger column takes it, and the younger one goes on instead.
//#import cloud
//#import columns

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read> columns: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> bits: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> pivots: array<u32>;
@group(0) @binding(6) var<storage, read_write> owners: array<u32>;
//#import rows

const CLOUDS: u32 = 8u;  // a workgroup

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let item = (slice.cloud + group.z) * CLOUDS + lane;
    if item >= slice.a {
        return;
    }
    let c = clouds[item];
    let index = c.index;
    let count = min(state[index * STATE_WORDS + COLUMNS], c.column_capacity);
    for (var slot = state[index * STATE_WORDS + REDUCED]; slot < count; slot++) {
        var column = slot;
        var pivot = pivots[c.columns + slot];
        while pivot < UNEXPANDED {
            let owner = owners[c.loops + pivot];
            if owner == NO_EDGE {
                owners[c.loops + pivot] = column;
                break;
            }
            if owner == column {
                break;
            }
            var source = owner;
            if older(columns[c.columns + column], column, columns[c.columns + owner], owner) {
                owners[c.loops + pivot] = column;
                source = column;
                column = owner;
            }
            pivot = add_column(c, column, source, pivot);
            pivots[c.columns + column] = pivot;
        }
    }
    state[index * STATE_WORDS + REDUCED] = count;
}
