// Writes the birth and the death of every loop as keys, and counts the dead.
//
// In: births, columns, owners. Out: bars (birth, death; NO_EDGE never dies), state DEATHS. One
// thread a loop.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> births: array<u32>;
@group(0) @binding(3) var<storage, read> columns: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> owners: array<u32>;
@group(0) @binding(5) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> bars: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let born = (slice.first + group_of(group, groups)) * 64u + lane;
    if born >= c.births {
        return;
    }
    let owner = owners[c.loops + born];
    var death = NO_EDGE;
    if owner != NO_EDGE {
        death = columns[c.columns + owner].x;
        atomicAdd(&state[index * STATE_WORDS + DEATHS], 1u);
    }
    bars[c.loops + born] = vec2<u32>(births[c.graph + born], death);
}
