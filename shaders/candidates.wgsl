// Lists the pairs whose lune holds none of the points nearest to their ends: the few that may be
// edges of the relative neighbourhood graph.
//
// In: table, near, state LIMIT. Out: todo (names, in no order), state TODO. 4 x 4 pairs a thread:
// the entries of a near point for four pairs are one load. At most five loads of four entries a
// pair, where the pairs alone would take 16.
//#import cloud
//#import blocks

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> near: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> todo: array<u32>;
//#import todo

// Which of the pairs of v and four others, with these keys, have no near point of v in their lunes.
fn open(c: Cloud, v: u32, others: u32, keys: vec4<u32>) -> vec4<bool> {
    let at = 2u * (c.vertices + min(v, c.n - 1u));
    let points = near[at];
    let lengths = near[at + 1u];
    let row = c.row / 4u;
    let column = c.table / 4u + others;
    let closed = ((vec4<u32>(lengths.x) < keys) & (table_at(column + points.x * row) < keys))
        | ((vec4<u32>(lengths.y) < keys) & (table_at(column + points.y * row) < keys))
        | ((vec4<u32>(lengths.z) < keys) & (table_at(column + points.z * row) < keys))
        | ((vec4<u32>(lengths.w) < keys) & (table_at(column + points.w * row) < keys));
    return !closed;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let block = block_of((slice.first + group_of(group, groups)) * 64u + lane);
    let i = points_of(block.x);
    let j = points_of(block.y);
    if i.x >= c.n {
        return;
    }
    let limit = vec4<u32>(atomicLoad(&state[c.index * STATE_WORDS + LIMIT]));
    let row = c.row / 4u;
    let first = c.table / 4u + i.x * row + block.y;
    let last = c.n - 1u - i.x;  // rows beyond the end are read as the last one
    let k0 = table_at(first);
    let k1 = table_at(first + min(1u, last) * row);
    let k2 = table_at(first + min(2u, last) * row);
    let k3 = table_at(first + min(3u, last) * row);
    var p0 = below(i.x, j, c.n) & (k0 <= limit);
    var p1 = below(i.y, j, c.n) & (k1 <= limit);
    var p2 = below(i.z, j, c.n) & (k2 <= limit);
    var p3 = below(i.w, j, c.n) & (k3 <= limit);
    if any(p0) {
        p0 &= open(c, i.x, block.y, k0);
    }
    if any(p1) {
        p1 &= open(c, i.y, block.y, k1);
    }
    if any(p2) {
        p2 &= open(c, i.z, block.y, k2);
    }
    if any(p3) {
        p3 &= open(c, i.w, block.y, k3);
    }
    // The other ends: the same by columns.
    var c0 = vec4<bool>(p0.x, p1.x, p2.x, p3.x);
    var c1 = vec4<bool>(p0.y, p1.y, p2.y, p3.y);
    var c2 = vec4<bool>(p0.z, p1.z, p2.z, p3.z);
    var c3 = vec4<bool>(p0.w, p1.w, p2.w, p3.w);
    if any(c0) {
        c0 &= open(c, j.x, block.x, vec4<u32>(k0.x, k1.x, k2.x, k3.x));
    }
    if any(c1) {
        c1 &= open(c, j.y, block.x, vec4<u32>(k0.y, k1.y, k2.y, k3.y));
    }
    if any(c2) {
        c2 &= open(c, j.z, block.x, vec4<u32>(k0.z, k1.z, k2.z, k3.z));
    }
    if any(c3) {
        c3 &= open(c, j.w, block.x, vec4<u32>(k0.w, k1.w, k2.w, k3.w));
    }
    let count = how_many(c0, c1, c2, c3);
    if count == 0u {
        return;
    }
    var at = c.todo + atomicAdd(&state[c.index * STATE_WORDS + TODO], count);
    at = list(c, at, j.x, i, c0);
    at = list(c, at, j.y, i, c1);
    at = list(c, at, j.z, i, c2);
    at = list(c, at, j.w, i, c3);
}
