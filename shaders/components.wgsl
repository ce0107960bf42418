// The components of the link of every edge of a block: the apex of each edge, and its critical columns.
//
// In: edges, ranks, adjacency (of the edges before the block), state ENTERED. Out: roles (apex), columns (rank, root),
// state COLUMNS and FAILURE. Scratch: three bit sets a thread, interleaved. Slice: a = first rank of the block, b = edges a
// block. One thread an edge.
//
// The apex is the point of the lune whose longer edge is shortest. Nearly always a flood from it along the adjacency
// bits fills the lune at once. Where it does not, the edges of the block that came before this one, which the bits do
// not hold yet, are looked at one by one.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> edges: array<u32>;
@group(0) @binding(3) var<storage, read> ranks: array<u32>;
@group(0) @binding(4) var<storage, read> adjacency: array<u32>;
@group(0) @binding(5) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> roles: array<u32>;
@group(0) @binding(7) var<storage, read_write> columns: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read_write> scratch: array<u32>;

const REST: u32 = 0u;     // points of the lune not reached yet
const REACHED: u32 = 1u;  // the component that is being flooded
const FRONT: u32 = 2u;    // those of it whose neighbours have not been taken yet

// Place of a word of a set of this thread: words of neighbouring threads are neighbours.
fn at(kind: u32, word: u32, words: u32, threads: u32, thread: u32) -> u32 {
    return (kind * words + word) * threads + thread;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let in_block = (slice.first + group_of(group, groups)) * 64u + lane;
    let rank = slice.a + in_block;
    if c.done == 1u || in_block >= slice.b || rank >= atomicLoad(&state[index * STATE_WORDS + ENTERED]) {
        return;
    }
    if roles[c.edges + rank] != UNSEEN {
        return;
    }
    let threads = slice.b * groups.z;
    let thread = group.z * slice.b + in_block;
    let w = c.words;
    let edge = edges[c.edges + rank];
    let row_a = c.ranks + (edge / c.n) * c.n;
    let row_b = c.ranks + (edge % c.n) * c.n;

    var apex = 0u;
    var nearest = NO_EDGE;
    for (var word = 0u; word < w; word++) {
        var bits = 0u;
        let top = min(32u, c.n - word * 32u);
        for (var k = 0u; k < top; k++) {
            let z = word * 32u + k;
            let longer = max(ranks[row_a + z], ranks[row_b + z]);
            if longer < rank {
                bits |= 1u << k;
                if longer < nearest {
                    nearest = longer;
                    apex = z;
                }
            }
        }
        scratch[at(REST, word, w, threads, thread)] = bits;
    }
    roles[c.edges + rank] = apex;

    var root = apex;
    var first = true;
    loop {
        if !first {
            let slot = atomicAdd(&state[index * STATE_WORDS + COLUMNS], 1u);
            if slot < c.column_capacity {
                columns[c.columns + slot] = vec2<u32>(rank, root);
            } else {
                atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_COLUMNS);
                return;
            }
        }
        first = false;
        // Flood from the root; go on from the block's own edges until they add nothing.
        for (var word = 0u; word < w; word++) {
            scratch[at(REACHED, word, w, threads, thread)] = 0u;
            scratch[at(FRONT, word, w, threads, thread)] = 0u;
        }
        var seed = root;
        var open = true;
        loop {
            let home = seed / 32u;
            let bit = 1u << (seed % 32u);
            scratch[at(REST, home, w, threads, thread)] &= ~bit;
            scratch[at(FRONT, home, w, threads, thread)] |= bit;
            var low = home;  // no front below this word
            loop {
                while low < w && scratch[at(FRONT, low, w, threads, thread)] == 0u {
                    low++;
                }
                if low >= w {
                    break;
                }
                let front = scratch[at(FRONT, low, w, threads, thread)];
                let vertex = low * 32u + countTrailingZeros(front);
                scratch[at(FRONT, low, w, threads, thread)] = front & (front - 1u);
                scratch[at(REACHED, low, w, threads, thread)] |= front & (~front + 1u);
                let row = c.adjacency + vertex * w;
                open = false;
                for (var word = 0u; word < w; word++) {
                    let rest = scratch[at(REST, word, w, threads, thread)];
                    if rest != 0u {
                        let hit = rest & adjacency[row + word];
                        if hit != 0u {
                            scratch[at(REST, word, w, threads, thread)] = rest & ~hit;
                            scratch[at(FRONT, word, w, threads, thread)] |= hit;
                            low = min(low, word);
                        }
                        open = open || (rest & ~hit) != 0u;
                    }
                }
                if !open {
                    break;
                }
            }
            if !open {
                break;
            }
            // Not filled: does an edge of this block lead on?
            var found = false;
            for (var fresh = slice.a; fresh < rank; fresh++) {
                let e = edges[c.edges + fresh];
                let i = e / c.n;
                let j = e % c.n;
                let i_in = (scratch[at(REACHED, i / 32u, w, threads, thread)] >> (i % 32u)) & 1u;
                let j_in = (scratch[at(REACHED, j / 32u, w, threads, thread)] >> (j % 32u)) & 1u;
                let i_rest = (scratch[at(REST, i / 32u, w, threads, thread)] >> (i % 32u)) & 1u;
                let j_rest = (scratch[at(REST, j / 32u, w, threads, thread)] >> (j % 32u)) & 1u;
                if (i_in & j_rest) == 1u {
                    seed = j;
                    found = true;
                    break;
                }
                if (j_in & i_rest) == 1u {
                    seed = i;
                    found = true;
                    break;
                }
            }
            if !found {
                break;
            }
        }
        if !open {
            break;
        }
        // Another component: its root is the lowest point that is left.
        for (var word = 0u; word < w; word++) {
            let rest = scratch[at(REST, word, w, threads, thread)];
            if rest != 0u {
                root = word * 32u + countTrailingZeros(rest);
                break;
            }
        }
    }
}
