// For every point its four nearest, and the enclosing radius of the cloud: the smallest distance to
// the farthest.
//
// In: table. Out: near (four points, then their four keys; the point itself where there are fewer),
// state LIMIT. One thread a point, reading down a column, which the symmetry makes its row and
// neighbouring threads make one line. O(n^2) a cloud.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> near: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let i = (slice.first + group_of(group, groups)) * 64u + lane;
    if i >= c.n {
        return;
    }
    var farthest = 0u;
    var nearest = vec4<u32>(i);
    var keys = vec4<u32>(NO_EDGE);
    for (var j = 0u; j < c.n; j++) {
        let key = table_at(c.table + j * c.row + i);
        if j != i {
            farthest = max(farthest, key);
        }
        if key < keys.w {
            let before = vec4<bool>(key < keys.x, key < keys.y, key < keys.z, true);
            // Everything that is longer moves up by one; the new one takes the first place that is
            // free.
            keys = vec4<u32>(
                select(keys.x, key, before.x),
                select(select(keys.y, key, before.y), keys.x, before.x),
                select(select(keys.z, key, before.z), keys.y, before.y),
                select(key, keys.z, before.z),
            );
            nearest = vec4<u32>(
                select(nearest.x, j, before.x),
                select(select(nearest.y, j, before.y), nearest.x, before.x),
                select(select(nearest.z, j, before.z), nearest.y, before.y),
                select(j, nearest.z, before.z),
            );
        }
    }
    near[2u * (c.vertices + i)] = nearest;
    near[2u * (c.vertices + i) + 1u] = keys;
    atomicMin(&state[index * STATE_WORDS + LIMIT], farthest);
}
