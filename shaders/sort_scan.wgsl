// Radix sort, second stage: turns a cloud's histogram into the position of the first pair of every (digit, block).
//
// In and out: histogram. One workgroup a cloud: each thread sums a run, the 256 sums are scanned, each thread writes its run.
//#import cloud
//#import sort

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read_write> histogram: array<u32>;

var<workgroup> sums: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = clouds[slice.cloud + group.z];
    let count = DIGITS * ((c.pairs + BLOCK - 1u) / BLOCK);
    let run = (count + 255u) / 256u;
    let begin = min(lane * run, count);
    let end = min(begin + run, count);
    var sum = 0u;
    for (var at = begin; at < end; at++) {
        sum += histogram[c.histogram + at];
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var step = 1u; step < 256u; step *= 2u) {
        var before = 0u;
        if lane >= step {
            before = sums[lane - step];
        }
        workgroupBarrier();
        sums[lane] += before;
        workgroupBarrier();
    }
    var at_digit = sums[lane] - sum;
    for (var at = begin; at < end; at++) {
        let here = histogram[c.histogram + at];
        histogram[c.histogram + at] = at_digit;
        at_digit += here;
    }
}
