// The components of the links that are no cones at first look: their critical columns.
//
// In: table, levels, roles, pending. Out: columns (key, name, apex, root), state COLUMNS and
// FAILURE. Scratch: two sets of points a thread, interleaved. Slice: b = threads a cloud. One
// thread an edge.
//
// A component is flooded from its root along the edges shorter than this one; the first root is the
// point that is the edge's role.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<u32>;
//#split
@group(0) @binding(3) var<storage, read> levels: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
//#split
@group(0) @binding(5) var<storage, read> roles: array<u32>;
@group(0) @binding(6) var<storage, read> pending: array<u32>;
@group(0) @binding(7) var<storage, read_write> columns: array<vec4<u32>>;
@group(0) @binding(8) var<storage, read_write> scratch: array<vec4<u32>>;
//#import levels
//#import floods

const REST: u32 = 0u;   // points of the lune not reached yet
const FRONT: u32 = 1u;  // reached, but their neighbours have not been taken yet

// Place of four words of a set of this thread: those of neighbouring threads are neighbours.
fn at(kind: u32, q: u32, quads: u32, threads: u32, thread: u32) -> u32 {
    return (kind * quads + q) * threads + thread;
}

// Finds the components of one link.
fn look_at(c: Cloud, item: u32, threads: u32, thread: u32) {
    let index = c.index;
    let name = pending[c.todo + item];
    let i = name >> 16u;
    let j = name & 0xffffu;
    let key = table_at(c.table + i * c.row + j);
    let l = level_of(c, key);
    for (var q = 0u; q < c.quads; q++) {
        scratch[at(REST, q, c.quads, threads, thread)] = lune_quad(c, i, j, key, l, q);
        scratch[at(FRONT, q, c.quads, threads, thread)] = vec4<u32>(0u);
    }
    let apex = roles_at(c.roles + pair_of(i, j)) - 1u;
    var v = apex;
    loop {
        // Floods on from v, the root of another component or a point of the front.
        var root = true;
        var open = true;
        loop {
            var next = NO_EDGE;
            open = false;
            for (var q = 0u; q < c.quads; q++) {
                let here = at(REST, q, c.quads, threads, thread);
                var rest = scratch[here];
                if root && v / 128u == q {
                    rest &= ~only(v);
                    scratch[here] = rest;
                }
                var front = scratch[at(FRONT, q, c.quads, threads, thread)];
                if !root && v / 128u == q {
                    front &= ~only(v);
                    scratch[at(FRONT, q, c.quads, threads, thread)] = front;
                }
                if any(rest != vec4<u32>(0u)) {
                    let hit = neighbours(c, v, key, name, l, q, rest);
                    if any(hit != vec4<u32>(0u)) {
                        front |= hit;
                        rest &= ~hit;
                        scratch[here] = rest;
                        scratch[at(FRONT, q, c.quads, threads, thread)] = front;
                    }
                    open = open || any(rest != vec4<u32>(0u));
                }
                if next == NO_EDGE {
                    next = first_point(q, front);
                }
            }
            if !open || next == NO_EDGE {
                break;
            }
            v = next;
            root = false;
        }
        if !open {
            return;
        }
        // Nothing more is reached: whatever is left lies in other components.
        v = NO_EDGE;
        for (var q = 0u; q < c.quads && v == NO_EDGE; q++) {
            v = first_point(q, scratch[at(REST, q, c.quads, threads, thread)]);
        }
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
    let in_slice = group_of(group, groups) * 64u + lane;
    let item = slice.first * 64u + in_slice;
    if in_slice >= slice.b || item >= atomicLoad(&state[index * STATE_WORDS + PENDING]) {
        return;
    }
    let threads = slice.b * groups.z;
    let thread = group.z * slice.b + in_slice;
    look_at(c, item, threads, thread);
    if cut_short(c.n) {
        atomicOr(&state[c.index * STATE_WORDS + FAILURE], FAILED_LOOPS);
    }
}
