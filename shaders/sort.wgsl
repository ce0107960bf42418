// Sorts the relative neighbourhood graph of every cloud by length, and makes every point a tree of
// its own.
//
// In and out: graph. In: state GRAPH. Out: forest (n roots; see forest.wgsl). One workgroup a
// cloud, of more threads for large clouds. A bitonic network in which every exchange puts the
// smaller edge first, so what would be beyond the end never moves.
//#import cloud

override THREADS: u32 = 64u;

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read_write> graph: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> forest: array<u32>;

const PLACES: u32 = 1024u;  // edges that are sorted in workgroup memory, where there are no more

var<workgroup> local: array<vec2<u32>, 1024>;
var<workgroup> graph_edges: u32;

fn shorter(x: vec2<u32>, y: vec2<u32>) -> bool {
    return x.x < y.x || (x.x == y.x && x.y < y.y);
}

// Puts places p < q in order.
fn exchange(base: u32, p: u32, q: u32, count: u32, small: bool) {
    if q >= count {
        return;
    }
    if small {
        let x = local[p];
        let y = local[q];
        if shorter(y, x) {
            local[p] = y;
            local[q] = x;
        }
        return;
    }
    let x = graph[base + p];
    let y = graph[base + q];
    if shorter(y, x) {
        graph[base + p] = y;
        graph[base + q] = x;
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    if lane == 0u {
        graph_edges = min(atomicLoad(&state[index * STATE_WORDS + GRAPH]), c.graph_capacity);
    }
    let count = workgroupUniformLoad(&graph_edges);
    let small = count <= PLACES;
    if small {
        for (var p = lane; p < count; p += THREADS) {
            local[p] = graph[c.graph + p];
        }
    }
    for (var v = lane; v < c.n; v += THREADS) {
        forest[2u * c.vertices + v] = ROOT + 1u;
    }
    workgroupBarrier();
    storageBarrier();
    var half = 1u;
    while half < count {
        // Runs of `half` are sorted: compare mirrored places of two of them, then ever nearer ones.
        for (var p = lane; p < (count + 1u) / 2u + half; p += THREADS) {
            let run = p / half;
            let at = p % half;
            exchange(c.graph, run * 2u * half + at, run * 2u * half + 2u * half - 1u - at, count, small);
        }
        workgroupBarrier();
        storageBarrier();
        var step = half / 2u;
        while step > 0u {
            for (var p = lane; p < (count + 1u) / 2u + step; p += THREADS) {
                let first = (p / step) * 2u * step + p % step;
                exchange(c.graph, first, first + step, count, small);
            }
            workgroupBarrier();
            storageBarrier();
            step /= 2u;
        }
        half *= 2u;
    }
    if small {
        for (var p = lane; p < count; p += THREADS) {
            graph[c.graph + p] = local[p];
        }
    }
    if cut_short(c.n) {
        atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_LOOPS);
    }
}
