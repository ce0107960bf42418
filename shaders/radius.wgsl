// Lowers every cloud's limit to its enclosing radius: the smallest, over all points, of the distance to the farthest.
//
// In: ranks (keys). Out: state LIMIT. One thread a point, reading down a column, which the symmetry makes its row and
// neighbouring threads make one line. O(n^2) a cloud.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> ranks: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let i = (slice.first + group_of(group, groups)) * 64u + lane;
    if i >= c.n {
        return;
    }
    var farthest = 0u;
    for (var j = 0u; j < c.n; j++) {
        if j != i {
            farthest = max(farthest, ranks[c.ranks + j * c.n + i]);
        }
    }
    atomicMin(&state[index * STATE_WORDS + LIMIT], farthest);
}
