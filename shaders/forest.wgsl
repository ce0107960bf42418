// Kruskal over the edges with an empty lune: those that merge two components, and those that open a loop.
//
// In: keys, edges, empties, state ENTERED. Out: roles, merges (keys), births (ranks), state MERGES and BIRTHS.
// The array `forest` holds for each cloud the parents of its n points, then the keys of its merges. One thread a cloud, for the n or so edges of the relative neighbourhood graph in their order; it
// skips the rest 32 at a time.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> edges: array<u32>;
@group(0) @binding(4) var<storage, read> empties: array<u32>;
@group(0) @binding(5) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> forest: array<u32>;
@group(0) @binding(7) var<storage, read_write> roles: array<u32>;
@group(0) @binding(8) var<storage, read_write> births: array<u32>;

// Root of a vertex; halves the path on the way.
fn find(base: u32, vertex: u32) -> u32 {
    var v = vertex;
    loop {
        let up = forest[base + v];
        if up == v {
            break;
        }
        let above = forest[base + up];
        forest[base + v] = above;
        v = above;
    }
    return v;
}

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let parents = 2u * c.vertices;
    let merges = parents + c.n;
    for (var v = 0u; v < c.n; v++) {
        forest[parents + v] = v;
    }
    let entered = atomicLoad(&state[index * STATE_WORDS + ENTERED]);
    var merged = 0u;
    var born = 0u;
    for (var word = 0u; word * 32u < entered; word++) {
        var left = empties[c.empties + word];
        while left != 0u {
            let rank = word * 32u + countTrailingZeros(left);
            left &= left - 1u;
            let edge = edges[c.edges + rank];
            let a = find(parents, edge / c.n);
            let b = find(parents, edge % c.n);
            if a != b {
                forest[parents + a] = b;
                forest[merges + merged] = keys[c.edges + rank];
                merged++;
                roles[c.edges + rank] = MERGE;
            } else {
                births[c.edges + born] = rank;
                roles[c.edges + rank] = LOOP + born;
                born++;
            }
        }
    }
    atomicStore(&state[index * STATE_WORDS + MERGES], merged);
    atomicStore(&state[index * STATE_WORDS + BIRTHS], born);
}
