// Which edges have an empty lune: no point with shorter edges to both ends. They are the relative neighbourhood graph.
//
// In: edges, ranks, state ENTERED. Out: roles (UNSEEN), empties (a bit per edge). One thread an edge; most find a point
// of the lune among the first two dozen candidates; the edges of the graph itself look at all n.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> edges: array<u32>;
@group(0) @binding(3) var<storage, read> ranks: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> roles: array<u32>;
@group(0) @binding(6) var<storage, read_write> empties: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let rank = (slice.first + group_of(group, groups)) * 64u + lane;
    if rank >= state[index * STATE_WORDS + ENTERED] {
        return;
    }
    let edge = edges[c.edges + rank];
    let row_a = c.ranks + (edge / c.n) * c.n;
    let row_b = c.ranks + (edge % c.n) * c.n;
    roles[c.edges + rank] = UNSEEN;
    for (var z = 0u; z < c.n; z++) {
        if ranks[row_a + z] < rank && ranks[row_b + z] < rank {
            return;
        }
    }
    atomicOr(&empties[c.empties + rank / 32u], 1u << (rank % 32u));
}
