// A first look at the link of every edge of a block: a point of its lune, and whether some near
// point is joined to all others of it.
//
// In: table, near, levels, todo. Out: roles (a point of the lune), pending (edges whose links are
// no cones at this look), state PENDING. One thread an edge.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> near: array<vec4<u32>>;
//#split
@group(0) @binding(4) var<storage, read> levels: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read> todo: array<u32>;
//#split
@group(0) @binding(7) var<storage, read_write> roles: array<u32>;
@group(0) @binding(8) var<storage, read_write> pending: array<u32>;
//#import levels

const TRIES: u32 = 3u;  // points that are tried as the tip of a cone

// Whether v is joined to all of some points of four words that are in the lune of {i, j}.
fn joined(c: Cloud, i: u32, j: u32, v: u32, key: u32, q: u32, points: vec4<u32>) -> bool {
    let name = name_of(i, j);
    var left = points;
    while any(left != vec4<u32>(0u)) {
        let w = first_point(q, left);
        left &= ~only(w);
        if w != v && !before(table_at(c.table + v * c.row + w), v, w, key, name) && in_lune(c, i, j, key, w) {
            return false;
        }
    }
    return true;
}

// Looks for the tip of a cone in one link.
fn look_at(c: Cloud, item: u32) {
    let index = c.index;
    let name = todo[c.todo + item];
    let i = name >> 16u;
    let j = name & 0xffffu;
    let t = pair_of(i, j);
    let key = table_at(c.table + i * c.row + j);
    let l = level_of(c, key);
    var next_i = near[2u * (c.vertices + i)];
    var next_j = near[2u * (c.vertices + j)];
    var apex = NO_EDGE;
    var tried = 0u;
    for (var k = 0u; k < 8u && tried < TRIES; k++) {
        // Those of either end in turn.
        let v = next_i.x;
        let turned = vec4<u32>(next_i.yzw, 0u);
        next_i = next_j;
        next_j = turned;
        if !in_lune(c, i, j, key, v) {
            continue;
        }
        if apex == NO_EDGE {
            apex = v;
        }
        tried++;
        var cone = true;
        for (var q = 0u; q < c.quads && cone; q++) {
            let doubtful = within(c, l, i, q) & within(c, l, j, q) & ~surely(c, l, v, q);
            cone = joined(c, i, j, v, key, q, doubtful);
        }
        if cone {
            set_roles(c.roles + t, v + 1u);
            return;
        }
    }
    for (var q = 0u; q < c.quads && apex == NO_EDGE; q++) {
        apex = first_point(q, lune_quad(c, i, j, key, l, q));
    }
    if apex == NO_EDGE {
        return;  // an edge of the graph, whose role is known
    }
    set_roles(c.roles + t, apex + 1u);
    pending[c.todo + atomicAdd(&state[index * STATE_WORDS + PENDING], 1u)] = name;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let item = (slice.first + group_of(group, groups)) * 64u + lane;
    if item >= atomicLoad(&state[index * STATE_WORDS + TODO]) {
        return;
    }
    look_at(c, item);
    if cut_short(c.n) {
        atomicOr(&state[c.index * STATE_WORDS + FAILURE], FAILED_LOOPS);
    }
}
