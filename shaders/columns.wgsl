// Writes every new critical column as bits over the loops, and finds its pivot, the youngest loop.
//
// In: table, roles, columns. Out: bits, pivots, state FAILURE. Scratch: lists. Slice: a = places in a
// list, b = lists a cloud. One thread a column.
//
// The column of {e, root} against {e, apex} is four edges. One that merges components is dropped, one that opens a loop
// flips its bit, any other {x, y} with z in its lune stands for {x, z} + {y, z}: the list holds those still to be replaced,
// the youngest first, each at most once (twice is never, over Z/2).
//#import cloud
//#import columns

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> roles: array<u32>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read> columns: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> bits: array<u32>;
@group(0) @binding(7) var<storage, read_write> lists: array<vec2<u32>>;  // key and name
@group(0) @binding(8) var<storage, read_write> pivots: array<u32>;

var<private> length: u32;
var<private> overflow: bool;

// Adds the edge between v and w to the column: at most one change of the list or of one bit.
fn add(c: Cloud, v: u32, w: u32, slot: u32, thread: u32, threads: u32) {
    let role = roles[c.roles + pair_of(v, w)];
    if role == MERGE {
        return;
    }
    if role >= LOOP {
        let born = role - LOOP;
        bits[4u * (c.bits + slot * c.bit_quads) + born / 32u] ^= 1u << (born % 32u);
        return;
    }
    let edge = vec2<u32>(table[c.table + v * c.row + w], name_of(v, w));
    for (var k = 0u; k < length; k++) {
        if lists[k * threads + thread].y == edge.y {
            length--;
            lists[k * threads + thread] = lists[length * threads + thread];
            return;
        }
    }
    if length == slice.a {
        overflow = true;
        return;
    }
    lists[length * threads + thread] = edge;
    length++;
}

// Writes one column.
fn expand(c: Cloud, slot: u32, threads: u32, thread: u32) {
    let index = c.index;
    length = 0u;
    overflow = false;
    let column = columns[c.columns + slot];
    let i = column.y >> 16u;
    let j = column.y & 0xffffu;
    add(c, i, column.z, slot, thread, threads);
    add(c, j, column.z, slot, thread, threads);
    add(c, i, column.w, slot, thread, threads);
    add(c, j, column.w, slot, thread, threads);
    while length > 0u && !overflow {
        var youngest = vec2<u32>(0u);
        var place = 0u;
        for (var k = 0u; k < length; k++) {
            let edge = lists[k * threads + thread];
            if edge.x > youngest.x || (edge.x == youngest.x && edge.y >= youngest.y) {
                youngest = edge;
                place = k;
            }
        }
        length--;
        lists[place * threads + thread] = lists[length * threads + thread];
        let x = youngest.y >> 16u;
        let y = youngest.y & 0xffffu;
        let z = roles[c.roles + pair_of(x, y)] - 1u;
        add(c, x, z, slot, thread, threads);
        add(c, y, z, slot, thread, threads);
    }
    if overflow {
        atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_LIST);
    }
    var pivot = NO_EDGE;
    for (var word = 4u * c.bit_quads; word > 0u; word--) {
        let found = bits[4u * (c.bits + slot * c.bit_quads) + word - 1u];
        if found != 0u {
            pivot = (word - 1u) * 32u + 31u - countLeadingZeros(found);
            break;
        }
    }
    pivots[c.columns + slot] = pivot;
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
    let slot = slice.first * 64u + in_slice;
    let made = min(atomicLoad(&state[index * STATE_WORDS + COLUMNS]), c.column_capacity);
    if in_slice >= slice.b || slot >= made || pivots[c.columns + slot] != UNEXPANDED {
        return;
    }
    let threads = slice.b * groups.z;
    let thread = group.z * slice.b + in_slice;
    expand(c, slot, threads, thread);
    if cut_short(c.n) {
        atomicOr(&state[c.index * STATE_WORDS + FAILURE], FAILED_LOOPS);
    }
}
