// Reduction of a large cloud, first half of a round: every column claims its pivot; the one whose
// edge is oldest owns it.
//
// In: columns, pivots, state COLUMNS. Out: owners. One thread a column. Nothing waits: a lost
// exchange means that somebody else's claim went through.
//#import cloud
//#import columns

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> columns: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> pivots: array<u32>;
@group(0) @binding(5) var<storage, read_write> owners: array<atomic<u32>>;

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
    let mine = columns[c.columns + slot];
    var owner = atomicLoad(&owners[c.loops + pivot]);
    loop {
        if owner == slot || (owner != NO_EDGE && older(columns[c.columns + owner], owner, mine, slot)) {
            break;
        }
        let claim = atomicCompareExchangeWeak(&owners[c.loops + pivot], owner, slot);
        if claim.exchanged {
            break;
        }
        owner = claim.old_value;
    }
}
