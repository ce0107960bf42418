// Radix sort, third stage: writes every pair to its place for this digit.
//
// In: keys, edges, histogram (scanned). Out: sorted_keys, sorted_edges. Slice: a = shift of the digit. Within a block the
// threads' counters are scanned digit by digit, so equal digits keep their order.
//#import cloud
//#import sort

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> edges: array<u32>;
@group(0) @binding(4) var<storage, read> histogram: array<u32>;
@group(0) @binding(5) var<storage, read_write> sorted_keys: array<u32>;
@group(0) @binding(6) var<storage, read_write> sorted_edges: array<u32>;

var<workgroup> places: array<u32, 1024>;  // digit * 64 + thread

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
        places[d * THREADS + lane] = 0u;
    }
    let begin = block * BLOCK + lane * EACH;
    let end = min(begin + EACH, c.pairs);
    for (var at = begin; at < end; at++) {
        let d = (keys[c.edges + at] >> slice.a) & 15u;
        places[d * THREADS + lane] += 1u;
    }
    workgroupBarrier();
    if lane < DIGITS {
        var place = histogram[c.histogram + lane * blocks + block];
        for (var t = 0u; t < THREADS; t++) {
            let here = places[lane * THREADS + t];
            places[lane * THREADS + t] = place;
            place += here;
        }
    }
    workgroupBarrier();
    for (var at = begin; at < end; at++) {
        let key = keys[c.edges + at];
        let d = (key >> slice.a) & 15u;
        let place = places[d * THREADS + lane];
        places[d * THREADS + lane] = place + 1u;
        sorted_keys[c.edges + place] = key;
        sorted_edges[c.edges + place] = edges[c.edges + at];
    }
}
