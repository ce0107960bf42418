// Replaces every key of the table by the rank of its edge, and counts the edges that enter.
//
// In: keys, edges (sorted). Out: ranks, both ways, NO_EDGE where no edge enters; state ENTERED. One thread a pair.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> edges: array<u32>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> ranks: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let place = (slice.first + group_of(group, groups)) * 64u + lane;
    if place >= c.pairs {
        return;
    }
    let edge = edges[c.edges + place];
    let i = edge / c.n;
    let j = edge % c.n;
    let enters = keys[c.edges + place] != NO_EDGE;
    let rank = select(NO_EDGE, place, enters);
    ranks[c.ranks + i * c.n + j] = rank;
    ranks[c.ranks + j * c.n + i] = rank;
    // The last one that enters knows how many there are.
    if enters && (place + 1u == c.pairs || keys[c.edges + place + 1u] == NO_EDGE) {
        atomicStore(&state[index * STATE_WORDS + ENTERED], place + 1u);
    }
}
