// Kruskal's algorithm on the relative neighbourhood graph: which edges merge components, which open loops.
//
// In: graph (sorted here), state GRAPH. Out: roles (MERGE, or LOOP + number), forest (n parents, then the keys of the merges), births
// (keys), state BIRTHS, MERGES and LAST_BIRTH. One workgroup a cloud: the sort with all threads, the forest with one.
//
// The sort is a bitonic network in which every exchange puts the smaller edge first, so what would be beyond the end never moves.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read_write> graph: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> forest: array<u32>;
@group(0) @binding(5) var<storage, read_write> roles: array<u32>;
@group(0) @binding(6) var<storage, read_write> births: array<u32>;

const THREADS: u32 = 64u;
const PLACES: u32 = 1024u;  // edges that are sorted in workgroup memory, where there are no more

var<workgroup> local: array<vec2<u32>, 1024>;
var<workgroup> graph_edges: u32;

// Root of a vertex; halves the path on the way.
fn find(base: u32, vertex: u32) -> u32 {
    var v = vertex;
    loop {
        let up = forest[base + v];
        if up == v {
            break;
        }
        let above = forest[base + up];
        forest[base + v] = above;
        v = above;
    }
    return v;
}

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

@compute @workgroup_size(64)
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
        forest[2u * c.vertices + v] = v;
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
    if lane != 0u {
        return;
    }
    let parents = 2u * c.vertices;
    let merges = parents + c.n;
    var merged = 0u;
    var born = 0u;
    for (var at = 0u; at < count; at++) {
        var edge = graph[c.graph + at];
        if small {
            edge = local[at];
        }
        let i = edge.y >> 16u;
        let j = edge.y & 0xffffu;
        let a = find(parents, i);
        let b = find(parents, j);
        if a != b {
            forest[parents + a] = b;
            forest[merges + merged] = edge.x;
            merged++;
            roles[c.roles + pair_of(i, j)] = MERGE;
        } else {
            births[c.graph + born] = edge.x;
            roles[c.roles + pair_of(i, j)] = LOOP + born;
            born++;
            atomicStore(&state[index * STATE_WORDS + LAST_BIRTH], edge.x);
        }
    }
    atomicStore(&state[index * STATE_WORDS + MERGES], merged);
    atomicStore(&state[index * STATE_WORDS + BIRTHS], born);
}
