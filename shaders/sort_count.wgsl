// Radix sort, first of three stages a digit: how often each of 16 digits occurs in each block of 1024 pairs.
//
// In: keys. Out: histogram, digit-major. Slice: a = shift of the digit. A thread counts 16 neighbouring keys into
// counters of its own: no atomics, so the sort is stable and the same everywhere. A block never straddles clouds.
//#import cloud
//#import sort

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> histogram: array<u32>;

var<workgroup> counts: array<u32, 1024>;  // digit * 64 + thread

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let block = slice.first + group_of(group, groups);
    let blocks = (c.pairs + BLOCK - 1u) / BLOCK;
    if block >= blocks {
        return;
    }
    for (var d = 0u; d < DIGITS; d++) {
        counts[d * THREADS + lane] = 0u;
    }
    let begin = block * BLOCK + lane * EACH;
    let end = min(begin + EACH, c.pairs);
    for (var at = begin; at < end; at++) {
        let d = (keys[c.edges + at] >> slice.a) & 15u;
        counts[d * THREADS + lane] += 1u;
    }
    workgroupBarrier();
    if lane < DIGITS {
        var sum = 0u;
        for (var t = 0u; t < THREADS; t++) {
            sum += counts[lane * THREADS + t];
        }
        histogram[c.histogram + lane * blocks + block] = sum;
    }
}
