// Lists the pairs of every cloud as (key, i * n + j), i > j, in the order of (i, j); those beyond the limit get NO_EDGE.
//
// In: ranks (keys), state LIMIT. Out: keys, edges. One thread a cell of the table. O(n^2) a cloud.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> ranks: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> edges: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let cell = (slice.first + group_of(group, groups)) * 64u + lane;
    let i = cell / c.n;
    let j = cell % c.n;
    if i >= c.n || j >= i {
        return;
    }
    let at = c.edges + i * (i - 1u) / 2u + j;
    let key = ranks[c.ranks + cell];
    keys[at] = select(NO_EDGE, key, key <= state[index * STATE_WORDS + LIMIT]);
    edges[at] = cell;
}
