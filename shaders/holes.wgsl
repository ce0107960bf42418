// Holes of the set where a map is above zero: pieces of the rest (joined through sides) that do not
// reach the border.
//
// In: maps, one behind the other. Out: counts, as floats; -1 where the rounds did not suffice. One
// workgroup a map. Slice: a = maps, b = height << 16 | width.
//
// Every pixel of the rest has a label: 0 at the border, else its place + 1; sweeps along rows and
// columns carry the smallest label through each piece. A piece without the border keeps the label
// of its first pixel, and is counted there.
//#import cloud

const MOST_PIXELS: u32 = 4032u;
const MOST_ROUNDS: u32 = 200u;
// Some drivers stop a loop after 65,535 turns, those of the loops inside it included.
const MOST_TURNS: u32 = 60000u;
const INSIDE: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> maps: array<f32>;
@group(0) @binding(2) var<storage, read_write> counts: array<f32>;

var<workgroup> labels: array<u32, MOST_PIXELS>;
var<workgroup> changed: atomic<u32>;
var<workgroup> again: u32;

// Carries the smaller label from one pixel to the next; returns what to carry on.
fn carry(carried: u32, at: u32) -> u32 {
    let own = labels[at];
    if own == INSIDE {
        return INSIDE;
    }
    if carried < own {
        labels[at] = carried;
        atomicStore(&changed, 1u);
        return carried;
    }
    return own;
}

// Along a line of pixels and back.
fn sweep(first: u32, step: u32, count: u32) {
    var carried = INSIDE;
    for (var i = 0u; i < count; i += 1u) {
        carried = carry(carried, first + i * step);
    }
    carried = INSIDE;
    for (var i = count; i > 0u; i -= 1u) {
        carried = carry(carried, first + (i - 1u) * step);
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let map = slice.first + group_of(group, groups);
    let height = slice.b >> 16u;
    let width = slice.b & 0xffffu;
    let pixels = height * width;
    // Workgroups behind the last map do the last one again and write nothing.
    let here = min(map, slice.a - 1u);
    for (var p = lane; p < pixels; p += 64u) {
        let row = p / width;
        let column = p % width;
        let border = row == 0u || column == 0u || row + 1u == height || column + 1u == width;
        let outside = select(p + 1u, 0u, border);
        labels[p] = select(outside, INSIDE, maps[here * pixels + p] > 0.0);
    }
    if lane == 0u {
        again = 1u;
    }
    // Lane 0 has as many rows and columns as any other, and goes each of them there and back.
    let turns = 2u * ((height + 63u) / 64u * width + (width + 63u) / 64u * height);
    let rounds = min(MOST_ROUNDS, max(MOST_TURNS / max(turns, 1u), 1u));
    for (var round = 0u; round < rounds; round += 1u) {
        if lane == 0u {
            atomicStore(&changed, 0u);
        }
        workgroupBarrier();
        for (var row = lane; row < height; row += 64u) {
            sweep(row * width, 1u, width);
        }
        workgroupBarrier();
        for (var column = lane; column < width; column += 64u) {
            sweep(column, width, height);
        }
        workgroupBarrier();
        if lane == 0u {
            again = atomicLoad(&changed);
        }
        if workgroupUniformLoad(&again) == 0u {
            break;
        }
    }
    if lane == 0u {
        atomicStore(&changed, 0u);
    }
    workgroupBarrier();
    for (var p = lane; p < pixels; p += 64u) {
        if labels[p] == p + 1u {
            atomicAdd(&changed, 1u);
        }
    }
    workgroupBarrier();
    if lane == 0u && map < slice.a {
        counts[map] = select(-1.0, f32(atomicLoad(&changed)), again == 0u);
    }
}
