// The derivative of an activation function at every number, times the gradient that comes from
// behind, four a thread.
//
// In: x, behind. Out: gradient. Slice: a = fours of numbers.
//#import cloud
//#import activation

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> behind: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (slice.first + group_of(group, groups)) * 64u + lane;
    if at < slice.a {
        let v = x[at];
        gradient[at] = behind[at] * vec4<f32>(slope(v.x), slope(v.y), slope(v.z), slope(v.w));
    }
}
