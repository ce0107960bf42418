// An activation function of every number, four a thread.
//
// In: x. Out: y. Slice: a = fours of numbers.
//#import cloud
//#import activation

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (slice.first + group_of(group, groups)) * 64u + lane;
    if at < slice.a {
        let v = x[at];
        y[at] = vec4<f32>(value(v.x), value(v.y), value(v.z), value(v.w));
    }
}
