// The relative neighbourhood graph: the edges with no point closer to both ends than they are long.
//
// In: table, near, state LIMIT. Out: graph (key, name; in no order), state GRAPH and FAILURE, roles (UNSEEN). One thread a pair. Most pairs
// find a point of their lune among the nearest of their ends; the edges of the graph itself look at all n. Needs no order of
// the edges: nothing is ever sorted but this graph.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> near: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> roles: array<u32>;
@group(0) @binding(6) var<storage, read_write> graph: array<vec2<u32>>;
@group(0) @binding(7) var<storage, read> rows: array<vec4<u32>>;  // the table again, four entries at a time

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let t = (slice.first + group_of(group, groups)) * 64u + lane;
    if t >= c.pairs {
        return;
    }
    roles[c.roles + t] = UNSEEN;
    let i = larger_of(t);
    let j = t - i * (i - 1u) / 2u;
    let row_i = c.table + i * c.row;
    let row_j = c.table + j * c.row;
    let key = table[row_i + j];
    if key > atomicLoad(&state[index * STATE_WORDS + LIMIT]) {
        return;
    }
    for (var side = 0u; side < 2u; side++) {
        let nearest = near[c.vertices + select(j, i, side == 0u)];
        if table[row_i + nearest.x] < key && table[row_j + nearest.x] < key {
            return;
        }
        if table[row_i + nearest.y] < key && table[row_j + nearest.y] < key {
            return;
        }
        if table[row_i + nearest.z] < key && table[row_j + nearest.z] < key {
            return;
        }
        if table[row_i + nearest.w] < key && table[row_j + nearest.w] < key {
            return;
        }
    }
    let name = name_of(i, j);
    for (var q = 0u; q < c.row / 4u; q++) {
        let longer = max(rows[row_i / 4u + q], rows[row_j / 4u + q]);
        if any(longer < vec4<u32>(key)) {
            return;
        }
        if any(longer == vec4<u32>(key)) {
            // Ties go by the names of the edges.
            for (var z = 4u * q; z < min(4u * q + 4u, c.n); z++) {
                if before(table[row_i + z], i, z, key, name) && before(table[row_j + z], j, z, key, name) {
                    return;
                }
            }
        }
    }
    let at = atomicAdd(&state[index * STATE_WORDS + GRAPH], 1u);
    if at < c.graph_capacity {
        graph[c.graph + at] = vec2<u32>(key, name);
    } else {
        atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_GRAPH);
    }
}
