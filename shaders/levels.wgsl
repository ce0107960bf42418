// Writes, for every point and a few thresholds, who is that near: see shared/levels.wgsl.
//
// In: table, levels (thresholds). Out: levels (bits). One thread a word of 32 points, for all 16 levels.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> levels: array<u32>;  // the thresholds of all clouds, then the bits

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let item = (slice.first + group_of(group, groups)) * 64u + lane;
    let words = 4u * c.quads;
    let v = item / words;
    let w = item % words;
    if v >= c.n {
        return;
    }
    var limits: array<u32, 16>;
    var bits: array<u32, 16>;
    for (var l = 0u; l < 16u; l++) {
        limits[l] = levels[4u * c.thresholds + l];
        bits[l] = 0u;
    }
    let first = (c.table + v * c.row) / 4u + 8u * w;
    for (var q = 0u; q < 8u; q++) {
        if w * 32u + 4u * q >= c.n {
            break;
        }
        let keys = table[first + q];
        for (var l = 0u; l < 16u; l++) {
            let near = select(vec4<u32>(0u), vec4<u32>(1u, 2u, 4u, 8u), keys <= vec4<u32>(limits[l]));
            bits[l] |= (near.x | near.y | near.z | near.w) << (4u * q);
        }
    }
    for (var l = 0u; l < 16u; l++) {
        levels[4u * (c.levels + (l * c.n + v) * c.quads) + w] = bits[l];
    }
}
