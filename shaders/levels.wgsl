// Writes, for every point and a few thresholds, who is that near: see shared/levels.wgsl.
//
// In: table, levels (thresholds). Out: levels (bits). One thread a word of 32 points, for all 16
// levels, four in each component of a vector.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<vec4<u32>>;
//#split
@group(0) @binding(3) var<storage, read_write> levels: array<u32>;  // the thresholds of all clouds, then the bits

// Four thresholds, from number `at` on.
fn thresholds(at: u32) -> vec4<u32> {
    return vec4<u32>(levels_at(at), levels_at(at + 1u), levels_at(at + 2u), levels_at(at + 3u));
}

// The bits of four points, from bit number `bit` on, at four thresholds.
fn near(keys: vec4<u32>, limits: vec4<u32>, bit: u32) -> vec4<u32> {
    let none = vec4<u32>(0u);
    return select(none, vec4<u32>(1u << bit), vec4<u32>(keys.x) <= limits)
        | select(none, vec4<u32>(2u << bit), vec4<u32>(keys.y) <= limits)
        | select(none, vec4<u32>(4u << bit), vec4<u32>(keys.z) <= limits)
        | select(none, vec4<u32>(8u << bit), vec4<u32>(keys.w) <= limits);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let item = (slice.first + group_of(group, groups)) * 64u + lane;
    let words = 4u * c.quads;
    let v = item / words;
    let w = item % words;
    if v >= c.n {
        return;
    }
    let limits_a = thresholds(4u * c.thresholds);
    let limits_b = thresholds(4u * c.thresholds + 4u);
    let limits_c = thresholds(4u * c.thresholds + 8u);
    let limits_d = thresholds(4u * c.thresholds + 12u);
    let first = (c.table + v * c.row) / 4u + 8u * w;
    var a = vec4<u32>(0u);
    var b = vec4<u32>(0u);
    var c2 = vec4<u32>(0u);
    var d = vec4<u32>(0u);
    for (var q = 0u; q < 8u; q++) {
        if w * 32u + 4u * q >= c.n {
            break;
        }
        let keys = table_at(first + q);
        a |= near(keys, limits_a, 4u * q);
        b |= near(keys, limits_b, 4u * q);
        c2 |= near(keys, limits_c, 4u * q);
        d |= near(keys, limits_d, 4u * q);
    }
    let step = 4u * c.n * c.quads;
    let at = 4u * (c.levels + v * c.quads) + w;
    for (var l = 0u; l < 4u; l++) {
        set_levels(at + l * step, a[l]);
        set_levels(at + (4u + l) * step, b[l]);
        set_levels(at + (8u + l) * step, c2[l]);
        set_levels(at + (12u + l) * step, d[l]);
    }
}
