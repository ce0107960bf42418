// Lists the edges of a block, so that no thread of the next stages idles.
//
// In: table, roles. Out: todo (names, in no order), state TODO. One thread a pair.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> roles: array<u32>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> todo: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let t = (slice.first + group_of(group, groups)) * 64u + lane;
    if t >= c.pairs {
        return;
    }
    let i = larger_of(t);
    let j = t - i * (i - 1u) / 2u;
    let key = table[c.table + i * c.row + j];
    if key >= c.low && key <= c.high && roles[c.roles + t] == UNSEEN {
        todo[c.roles + atomicAdd(&state[index * STATE_WORDS + TODO], 1u)] = name_of(i, j);
    }
}
