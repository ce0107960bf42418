// Kruskal's algorithm on the sorted relative neighbourhood graph: which edges merge components,
// which open loops.
//
// In: graph, state GRAPH. In and out: forest (n parents, then the keys of the merges), state BIRTHS
// and MERGES, which say how far it has come. Out: roles (MERGE, or LOOP + number), births (keys),
// state LAST_BIRTH. Slice: a = clouds. One thread a cloud, a bounded number of edges a dispatch:
// trees of at most 2^16 points, joined by size, are at most 16 deep.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> graph: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> forest: array<u32>;
//#split
@group(0) @binding(5) var<storage, read_write> roles: array<u32>;
@group(0) @binding(6) var<storage, read_write> births: array<u32>;

const CLOUDS: u32 = 8u;    // a workgroup
const EDGES: u32 = 1500u;  // a dispatch

// Root of a vertex; halves the path on the way.
fn find(base: u32, vertex: u32) -> u32 {
    var v = vertex;
    var up = forest[base + v];
    while up < ROOT {
        let above = forest[base + up];
        if above >= ROOT {
            return up;
        }
        forest[base + v] = above;
        v = above;
        up = forest[base + v];
    }
    return v;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let item = (slice.cloud + group.z) * CLOUDS + lane;
    if item >= slice.a {
        return;
    }
    let c = clouds[item];
    let at = c.index * STATE_WORDS;
    let parents = 2u * c.vertices;
    let merges = parents + c.n;
    var merged = state[at + MERGES];
    var born = state[at + BIRTHS];
    var last = state[at + LAST_BIRTH];
    let end = min(merged + born + EDGES, min(state[at + GRAPH], c.graph_capacity));
    for (var next = merged + born; next < end; next++) {
        let edge = graph[c.graph + next];
        let i = edge.y >> 16u;
        let j = edge.y & 0xffffu;
        let a = find(parents, i);
        let b = find(parents, j);
        var role = MERGE;
        if a != b {
            let both = forest[parents + a] + forest[parents + b] - ROOT;
            let a_is_larger = forest[parents + a] >= forest[parents + b];
            forest[parents + select(b, a, a_is_larger)] = both;
            forest[parents + select(a, b, a_is_larger)] = select(b, a, a_is_larger);
            forest[merges + merged] = edge.x;
            merged++;
        } else {
            births[c.graph + born] = edge.x;
            role = LOOP + born;
            last = edge.x;
            born++;
        }
        set_roles(c.roles + pair_of(i, j), role);
    }
    state[at + MERGES] = merged;
    state[at + BIRTHS] = born;
    state[at + LAST_BIRTH] = last;
}
