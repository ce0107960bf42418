// Enters the edges of a block into the adjacency bits, after their links have been looked at.
//
// In: edges, state ENTERED. Out: adjacency. Slice: a = first rank of the block, b = edges a block. One thread an edge.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> edges: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> adjacency: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let in_block = (slice.first + group_of(group, groups)) * 64u + lane;
    let rank = slice.a + in_block;
    if c.done == 1u || in_block >= slice.b || rank >= state[index * STATE_WORDS + ENTERED] {
        return;
    }
    let edge = edges[c.edges + rank];
    let i = edge / c.n;
    let j = edge % c.n;
    atomicOr(&adjacency[c.adjacency + i * c.words + j / 32u], 1u << (j % 32u));
    atomicOr(&adjacency[c.adjacency + j * c.words + i / 32u], 1u << (i % 32u));
}
