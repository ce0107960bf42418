// Writes, for every point and a few thresholds, who is that near: see shared/levels.wgsl.
//
// In: table, levels (thresholds). Out: levels (bits). Slice: a = levels. One thread a word of 32 points, for all levels.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> levels: array<u32>;  // the thresholds of all clouds, then the bits

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let item = (slice.first + group_of(group, groups)) * 64u + lane;
    // Neighbouring threads take neighbouring points: by the symmetry they read one line.
    let v = item % c.n;
    let w = item / c.n;
    if c.done == 1u || w >= c.words {
        return;
    }
    var bits: array<u32, 16>;
    for (var l = 0u; l < slice.a; l++) {
        bits[l] = 0u;
    }
    let top = min(32u, c.n - w * 32u);
    for (var k = 0u; k < top; k++) {
        let key = table[c.table + (w * 32u + k) * c.n + v];
        if key > c.high {
            continue;
        }
        // Thresholds ascend: once a key is within one it is within the rest.
        for (var l = slice.a; l > 0u && key <= levels[c.thresholds + l - 1u]; l--) {
            bits[l - 1u] |= 1u << k;
        }
    }
    for (var l = 0u; l < slice.a; l++) {
        levels[c.levels + (l * c.n + v) * c.words + w] = bits[l];
    }
}
