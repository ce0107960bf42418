// The relative neighbourhood graph: the edges with no point closer to both ends than they are long.
//
// In: table, todo (the candidates). Out: graph (key, name; in no order), state GRAPH and FAILURE.
// Slice: a = threads a cloud, each of which takes every a-th candidate and looks at all n points.
// Needs no order of the edges: nothing is ever sorted but this graph.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> todo: array<u32>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> graph: array<vec2<u32>>;

// The entry at a place of the table, whose binding shows four at a time.
fn entry(at: u32) -> u32 {
    let four = table_at(at / 4u);
    return four[at % 4u];
}

// Whether no point is in the lune of the edge {i, j}.
fn is_empty(c: Cloud, i: u32, j: u32, key: u32, name: u32) -> bool {
    let row_i = c.table + i * c.row;
    let row_j = c.table + j * c.row;
    for (var q = 0u; q < c.row / 4u; q++) {
        let longer = max(table_at(row_i / 4u + q), table_at(row_j / 4u + q));
        if any(longer < vec4<u32>(key)) {
            return false;
        }
        if any(longer == vec4<u32>(key)) {
            // Ties go by the names of the edges.
            for (var z = 4u * q; z < min(4u * q + 4u, c.n); z++) {
                if before(entry(row_i + z), i, z, key, name) && before(entry(row_j + z), j, z, key, name) {
                    return false;
                }
            }
        }
    }
    return true;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let count = atomicLoad(&state[index * STATE_WORDS + TODO]);
    for (var item = (slice.first + group_of(group, groups)) * 64u + lane; item < count; item += slice.a) {
        let name = todo[c.todo + item];
        let i = name >> 16u;
        let j = name & 0xffffu;
        let key = entry(c.table + i * c.row + j);
        if is_empty(c, i, j, key, name) {
            let at = atomicAdd(&state[index * STATE_WORDS + GRAPH], 1u);
            if at < c.graph_capacity {
                graph[c.graph + at] = vec2<u32>(key, name);
            } else {
                atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_GRAPH);
            }
        }
    }
    if cut_short(c.n) {
        atomicOr(&state[c.index * STATE_WORDS + FAILURE], FAILED_LOOPS);
    }
}
