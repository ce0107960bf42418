// Writes every new critical column as bits over the loops, and finds its pivot, the youngest loop.
//
// In: roles, columns. Out: bits, pivots, state FAILURE. Scratch: lists. Slice: a = places in a
// list, b = lists a cloud. One thread a column.
//
// The column of {e, root} against {e, apex} is four edges. One that merges components is dropped,
// one that opens a loop flips its bit, any other {x, y} with z in its lune stands for {x, z} + {y,
// z}, both shorter: the list holds those still to be looked at. An edge that comes twice is looked
// at twice and cancels itself, bit by bit; to notice that before would save one look in thirty, and
// cost a search at each. Where edges come back so often that a column takes too long, the host
// finishes the cloud.
//#import cloud
//#import columns

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> roles: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read> columns: array<vec4<u32>>;
//#split
@group(0) @binding(5) var<storage, read_write> bits: array<u32>;
@group(0) @binding(6) var<storage, read_write> lists: array<u32>;  // names
@group(0) @binding(7) var<storage, read_write> pivots: array<u32>;

const LOOKS: u32 = 20000u;  // edges that are looked at for one column

// Writes one column.
fn expand(c: Cloud, slot: u32, threads: u32, thread: u32) {
    let column = columns[c.columns + slot];
    let row = 4u * (c.bits + slot * c.bit_quads);
    let x = column.y >> 16u;
    let y = column.y & 0xffffu;
    let three = vec3<u32>(name_of(y, column.z), name_of(x, column.w), name_of(y, column.w));
    lists[thread] = three.x;
    lists[threads + thread] = three.y;
    lists[2u * threads + thread] = three.z;
    var length = 3u;
    var edge = name_of(x, column.z);
    var youngest = 0u;  // one more than the youngest loop that was met
    var looks = 0u;
    loop {
        looks++;
        let v = edge >> 16u;
        let w = edge & 0xffffu;
        let role = roles_at(c.roles + pair_of(v, w));
        if role < LOOP && length < slice.a && looks < LOOKS {
            lists[length * threads + thread] = name_of(w, role - 1u);
            length++;
            edge = name_of(v, role - 1u);
            continue;
        }
        if role < LOOP {
            atomicOr(&state[c.index * STATE_WORDS + FAILURE], FAILED_LIST);
            break;
        }
        if role != MERGE {
            let born = role - LOOP;
            let word = row + born / 32u;
            set_bits(word, bits_at(word) ^ (1u << (born % 32u)));
            youngest = max(youngest, born + 1u);
        }
        if length == 0u {
            break;
        }
        length--;
        edge = lists[length * threads + thread];
    }
    var pivot = NO_EDGE;
    for (var word = (youngest + 31u) / 32u; word > 0u; word--) {
        let found = bits_at(row + word - 1u);
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
