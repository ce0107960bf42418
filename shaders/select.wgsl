// Lists the edges of a block by length, so that no thread of the next stages idles.
//
// In: table. Out: todo (names, in no order), state TODO. 4 x 4 pairs a thread.
//#import cloud
//#import blocks

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> todo: array<u32>;
//#import todo

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
    let row = c.row / 4u;
    let first = c.table / 4u + i.x * row + block.y;
    let last = c.n - 1u - i.x;  // rows beyond the end are read as the last one
    let low = vec4<u32>(c.low);
    let high = vec4<u32>(c.high);
    let k0 = table_at(first);
    let k1 = table_at(first + min(1u, last) * row);
    let k2 = table_at(first + min(2u, last) * row);
    let k3 = table_at(first + min(3u, last) * row);
    let p0 = below(i.x, j, c.n) & (k0 >= low) & (k0 <= high);
    let p1 = below(i.y, j, c.n) & (k1 >= low) & (k1 <= high);
    let p2 = below(i.z, j, c.n) & (k2 >= low) & (k2 <= high);
    let p3 = below(i.w, j, c.n) & (k3 >= low) & (k3 <= high);
    let count = how_many(p0, p1, p2, p3);
    if count == 0u {
        return;
    }
    var at = c.todo + atomicAdd(&state[c.index * STATE_WORDS + TODO], count);
    at = list(c, at, i.x, j, p0);
    at = list(c, at, i.y, j, p1);
    at = list(c, at, i.z, j, p2);
    at = list(c, at, i.w, j, p3);
}
