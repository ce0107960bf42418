// The components of the links that are no cones at first look: their critical columns.
//
// In: table, levels, roles, pending. Out: columns (key, name, apex, root), state COLUMNS and FAILURE. Scratch: two sets of
// points a thread, interleaved. Slice: a = levels, b = threads a cloud. One thread an edge.
//
// A component is flooded from its root along the edges shorter than this one; the first root is the point that is the edge's role.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> levels: array<u32>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read> roles: array<u32>;
@group(0) @binding(6) var<storage, read> pending: array<u32>;
@group(0) @binding(7) var<storage, read_write> columns: array<vec4<u32>>;
@group(0) @binding(8) var<storage, read_write> scratch: array<u32>;
//#import levels

const REST: u32 = 0u;   // points of the lune not reached yet
const FRONT: u32 = 1u;  // reached, but their neighbours have not been taken yet

// Place of a word of a set of this thread: words of neighbouring threads are neighbours.
fn at(kind: u32, word: u32, words: u32, threads: u32, thread: u32) -> u32 {
    return (kind * words + word) * threads + thread;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let in_slice = group_of(group, groups) * 64u + lane;
    let item = slice.first * 64u + in_slice;
    if c.done == 1u || in_slice >= slice.b || item >= atomicLoad(&state[index * STATE_WORDS + PENDING]) {
        return;
    }
    let threads = slice.b * groups.z;
    let thread = group.z * slice.b + in_slice;
    let name = pending[c.roles + item];
    let i = name >> 16u;
    let j = name & 0xffffu;
    let key = table[c.table + i * c.n + j];
    let l = level_of(c, key, slice.a);
    for (var w = 0u; w < c.words; w++) {
        scratch[at(REST, w, c.words, threads, thread)] = lune_word(c, i, j, key, l, w);
        scratch[at(FRONT, w, c.words, threads, thread)] = 0u;
    }
    let apex = roles[c.roles + pair_of(i, j)];
    var v = apex;
    loop {
        // Takes v out of the rest and floods on from it.
        scratch[at(REST, v / 32u, c.words, threads, thread)] &= ~(1u << (v % 32u));
        var open = true;
        loop {
            var next = NO_EDGE;
            open = false;
            for (var w = 0u; w < c.words; w++) {
                let rest = scratch[at(REST, w, c.words, threads, thread)];
                var front = scratch[at(FRONT, w, c.words, threads, thread)];
                if rest != 0u {
                    var hit = rest & surely(c, l, v, w);
                    var between = rest & within(c, l, v, w) & ~hit;
                    while between != 0u {
                        let bit = countTrailingZeros(between);
                        between &= between - 1u;
                        let z = w * 32u + bit;
                        if before(table[c.table + v * c.n + z], v, z, key, name) {
                            hit |= 1u << bit;
                        }
                    }
                    front |= hit;
                    scratch[at(REST, w, c.words, threads, thread)] = rest & ~hit;
                    scratch[at(FRONT, w, c.words, threads, thread)] = front;
                    open = open || (rest & ~hit) != 0u;
                }
                if next == NO_EDGE && front != 0u {
                    next = w * 32u + countTrailingZeros(front);
                }
            }
            if !open || next == NO_EDGE {
                break;
            }
            v = next;
            scratch[at(FRONT, v / 32u, c.words, threads, thread)] &= ~(1u << (v % 32u));
        }
        if !open {
            return;
        }
        // Nothing more is reached: whatever is left lies in other components.
        for (var w = 0u; w < c.words; w++) {
            let rest = scratch[at(REST, w, c.words, threads, thread)];
            if rest != 0u {
                v = w * 32u + countTrailingZeros(rest);
                break;
            }
        }
        let slot = atomicAdd(&state[index * STATE_WORDS + COLUMNS], 1u);
        if slot >= c.column_capacity {
            atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_COLUMNS);
            return;
        }
        columns[c.columns + slot] = vec4<u32>(key, name, apex, v);
    }
}
