// The components of the link of every edge of a block, for clouds of at most 256 points: their
// critical columns.
//
// In: table, near, levels, todo. Out: roles (a point of the lune), columns (key, name, apex, root),
// state COLUMNS and FAILURE. One thread an edge. Does what links.wgsl and components.wgsl do
// together, with all sets in registers: two times four words.
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
@group(0) @binding(8) var<storage, read_write> columns: array<vec4<u32>>;
//#import levels
//#import floods

// Whether point v is among 256.
fn holds(low: vec4<u32>, high: vec4<u32>, v: u32) -> bool {
    let words = select(low, high, v >= 128u) & only(v);
    return any(words != vec4<u32>(0u));
}

// Finds the components of one link.
fn look_at(c: Cloud, item: u32) {
    let index = c.index;
    let name = todo[c.todo + item];
    let i = name >> 16u;
    let j = name & 0xffffu;
    let key = table_at(c.table + i * c.row + j);
    let l = level_of(c, key);
    var low = lune_quad(c, i, j, key, l, 0u);
    var high = vec4<u32>(0u);
    if c.quads > 1u {
        high = lune_quad(c, i, j, key, l, 1u);
    }
    // A point close to one end is within little more than the edge's length of the whole lune.
    var candidates = near[2u * (c.vertices + i)];
    var later = near[2u * (c.vertices + j)];
    var apex = NO_EDGE;
    for (var k = 0u; k < 8u && apex == NO_EDGE; k++) {
        if holds(low, high, candidates.x) {
            apex = candidates.x;
        }
        let turned = vec4<u32>(candidates.yzw, 0u);
        candidates = later;
        later = turned;
    }
    if apex == NO_EDGE {
        apex = min(first_point(0u, low), first_point(1u, high));
    }
    if apex == NO_EDGE {
        return;  // an edge of the graph, whose role is known
    }
    set_roles(c.roles + pair_of(i, j), apex + 1u);
    var v = apex;
    loop {
        // v is the root of a component.
        low &= ~select(only(v), vec4<u32>(0u), v >= 128u);
        high &= ~select(vec4<u32>(0u), only(v), v >= 128u);
        var front_low = vec4<u32>(0u);
        var front_high = vec4<u32>(0u);
        loop {
            let hit_low = neighbours(c, v, key, name, l, 0u, low);
            let hit_high = neighbours(c, v, key, name, l, 1u, high);
            low &= ~hit_low;
            high &= ~hit_high;
            if all((low | high) == vec4<u32>(0u)) {
                return;
            }
            front_low |= hit_low;
            front_high |= hit_high;
            v = min(first_point(0u, front_low), first_point(1u, front_high));
            if v == NO_EDGE {
                break;
            }
            front_low &= ~select(only(v), vec4<u32>(0u), v >= 128u);
            front_high &= ~select(vec4<u32>(0u), only(v), v >= 128u);
        }
        // Nothing more is reached: whatever is left lies in other components.
        v = min(first_point(0u, low), first_point(1u, high));
        let slot = atomicAdd(&state[index * STATE_WORDS + COLUMNS], 1u);
        if slot >= c.column_capacity {
            atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_COLUMNS);
            return;
        }
        columns[c.columns + slot] = vec4<u32>(key, name, apex, v);
    }
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
