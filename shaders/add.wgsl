// Reduction of a large cloud, second half of a round: every column that does not own its pivot adds
// the owner, an older column.
//
// In: owners, state COLUMNS. In and out: bits, pivots. Out: progress (how many columns changed in
// round a). One thread a column. Owners do not change in this half, so nobody reads what another
// thread writes. Pivots only fall: the rounds end.
//#import cloud
//#import columns
//#import rows

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> owners: array<u32>;
//#split
@group(0) @binding(4) var<storage, read_write> bits: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> pivots: array<u32>;
@group(0) @binding(6) var<storage, read_write> progress: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let slot = (slice.first + group_of(group, groups)) * 64u + lane;
    if slot >= min(state[index * STATE_WORDS + COLUMNS], c.column_capacity) {
        return;
    }
    let pivot = pivots[c.columns + slot];
    if pivot >= UNEXPANDED {
        return;
    }
    let owner = owners[c.loops + pivot];
    if owner == slot {
        return;
    }
    pivots[c.columns + slot] = add_column(c, slot, owner, pivot);
    atomicAdd(&progress[slice.a], 1u);
}
