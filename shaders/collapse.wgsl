// Which links may hold a loop: what a strong collapse does not bring down to three points.
//
// In: table, levels, roles, pending. Out: open (names, in no order), state OPEN. Scratch: three
// sets of points a thread, interleaved. Slice: b = threads a cloud. One thread an edge.
//
// A point takes out its neighbours none of whose neighbours in the link is outside its own. Every
// point is tried, the edge's role first, until none takes out any more.
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
@group(0) @binding(7) var<storage, read_write> open: array<u32>;
@group(0) @binding(8) var<storage, read_write> scratch: array<vec4<u32>>;
//#import levels
//#import floods

const LEFT: u32 = 0u;     // points that are left
const DROP: u32 = 1u;     // those that v may take out
const OUTSIDE: u32 = 2u;  // those that are no neighbours of v

// What one point does to the link.
const NOTHING: u32 = 0u;
const SOME: u32 = 1u;
const EVERYTHING: u32 = 2u;

var<private> threads: u32;
var<private> thread: u32;

fn at(kind: u32, q: u32, quads: u32) -> u32 {
    return (kind * quads + q) * threads + thread;
}

// Takes out all that v dominates.
fn absorb(c: Cloud, v: u32, key: u32, name: u32, l: u32) -> u32 {
    var outside = false;
    for (var q = 0u; q < c.quads; q++) {
        let left = scratch[at(LEFT, q, c.quads)];
        let drop = neighbours(c, v, key, name, l, q, left);
        var out = left & ~drop;
        if v / 128u == q {
            out &= ~only(v);
        }
        scratch[at(DROP, q, c.quads)] = drop;
        scratch[at(OUTSIDE, q, c.quads)] = out;
        outside = outside || any(out != vec4<u32>(0u));
    }
    if !outside {
        return EVERYTHING;
    }
    for (var q = 0u; q < c.quads; q++) {
        var out = scratch[at(OUTSIDE, q, c.quads)];
        while any(out != vec4<u32>(0u)) {
            let x = first_point(q, out);
            out &= ~only(x);
            var remains = false;
            for (var p = 0u; p < c.quads; p++) {
                var drop = scratch[at(DROP, p, c.quads)];
                if any(drop != vec4<u32>(0u)) {
                    drop &= ~neighbours(c, x, key, name, l, p, drop);
                    scratch[at(DROP, p, c.quads)] = drop;
                    remains = remains || any(drop != vec4<u32>(0u));
                }
            }
            if !remains {
                return NOTHING;
            }
        }
    }
    for (var q = 0u; q < c.quads; q++) {
        scratch[at(LEFT, q, c.quads)] &= ~scratch[at(DROP, q, c.quads)];
    }
    return SOME;
}

// Collapses one link.
fn look_at(c: Cloud, item: u32) {
    let index = c.index;
    let name = pending[c.todo + item];
    let i = name >> 16u;
    let j = name & 0xffffu;
    let key = table_at(c.table + i * c.row + j);
    let l = level_of(c, key);
    for (var q = 0u; q < c.quads; q++) {
        scratch[at(LEFT, q, c.quads)] = lune_quad(c, i, j, key, l, q);
    }
    if absorb(c, roles_at(c.roles + pair_of(i, j)) - 1u, key, name, l) == EVERYTHING {
        return;
    }
    var changed = true;
    while changed {
        changed = false;
        for (var q = 0u; q < c.quads; q++) {
            var tried = scratch[at(LEFT, q, c.quads)];
            while any(tried != vec4<u32>(0u)) {
                let v = first_point(q, tried);
                tried &= ~only(v);
                let done = absorb(c, v, key, name, l);
                if done == EVERYTHING {
                    return;
                }
                if done == SOME {
                    changed = true;
                    tried &= scratch[at(LEFT, q, c.quads)];
                }
            }
        }
    }
    // The shortest loop that nothing fills has four points.
    var count = vec4<u32>(0u);
    for (var q = 0u; q < c.quads; q++) {
        count += countOneBits(scratch[at(LEFT, q, c.quads)]);
    }
    if count.x + count.y + count.z + count.w >= 4u {
        open[c.roles + atomicAdd(&state[index * STATE_WORDS + OPEN], 1u)] = name;
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
    threads = slice.b * groups.z;
    thread = group.z * slice.b + in_slice;
    look_at(c, item);
    if cut_short(c.n) {
        atomicOr(&state[c.index * STATE_WORDS + FAILURE], FAILED_LOOPS);
    }
}
