// A sample of every cloud's edges by length: where to cut blocks, and levels within a block.
//
// In: table, state LIMIT. Out: sample, slice.a keys a cloud (a power of two), ascending; NO_EDGE
// for those beyond the limit. One workgroup a cloud: a bitonic network in workgroup memory. What is
// sampled changes only how fast the links are looked at, never what is found.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
//#split
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> sample: array<u32>;

override THREADS: u32 = 64u;
const MOST_SAMPLED: u32 = 2048u;

var<workgroup> keys: array<u32, MOST_SAMPLED>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let size = slice.a;
    for (var s = lane; s < size; s += THREADS) {
        var key = NO_EDGE;
        // Every so many-th pair, or as many as there are.
        let t = select(u32(f32(s) * (f32(c.pairs) / f32(size))), s, c.pairs <= size);
        if t < c.pairs {
            let i = larger_of(t);
            key = table_at(c.table + i * c.row + t - i * (i - 1u) / 2u);
            key = select(NO_EDGE, key, key <= state[index * STATE_WORDS + LIMIT]);
        }
        keys[s] = key;
    }
    workgroupBarrier();
    for (var run = 2u; run <= size; run *= 2u) {
        for (var step = run / 2u; step > 0u; step /= 2u) {
            for (var p = lane; p < size / 2u; p += THREADS) {
                let first = (p / step) * 2u * step + p % step;
                let x = keys[first];
                let y = keys[first + step];
                if (x > y) == ((first & run) == 0u) {
                    keys[first] = y;
                    keys[first + step] = x;
                }
            }
            workgroupBarrier();
        }
    }
    for (var s = lane; s < size; s += THREADS) {
        sample[index * size + s] = keys[s];
    }
}
