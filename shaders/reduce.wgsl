// Reduction, second half of a round: every column that does not own its pivot adds the owner, an older column.
//
// In: owners, state COLUMNS. In and out: bits (columns and pivots). Out: progress (how many columns changed in round a).
// One thread a column. Owners do not change in this half, so nobody reads what another thread writes. Pivots only fall:
// the rounds end.
//#import cloud
//#import columns

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> owners: array<u32>;
@group(0) @binding(4) var<storage, read_write> bits: array<u32>;
@group(0) @binding(5) var<storage, read_write> progress: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let slot = (slice.first + group_of(group, groups)) * 64u + lane;
    if c.done == 1u || slot >= min(state[index * STATE_WORDS + COLUMNS], c.column_capacity) {
        return;
    }
    let pivot_at = bit_at(c, slot, c.bit_words);
    var pivot = bits[pivot_at];
    if pivot >= UNEXPANDED {
        return;
    }
    let owner = owners[c.loops + pivot];
    if owner == slot {
        return;
    }
    var next = NO_EDGE;
    for (var word = 0u; word <= pivot / 32u; word++) {
        let sum = bits[bit_at(c, slot, word)] ^ bits[bit_at(c, owner, word)];
        bits[bit_at(c, slot, word)] = sum;
        if sum != 0u {
            next = word * 32u + 31u - countLeadingZeros(sum);
        }
    }
    bits[pivot_at] = next;
    atomicAdd(&progress[slice.a], 1u);
}
