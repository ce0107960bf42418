// A first look at the link of every edge of a block: a point of its lune, and whether some near point is joined to all others of it.
//
// In: table, near, levels. In and out: roles (UNSEEN becomes a point of the lune). Out: pending (edges whose links are no
// cones at this look), state PENDING. Slice: a = levels. One thread a pair.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> near: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> levels: array<u32>;
@group(0) @binding(5) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> roles: array<u32>;
@group(0) @binding(7) var<storage, read_write> pending: array<u32>;
//#import levels

const TRIES: u32 = 3u;  // points that are tried as the tip of a cone

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let t = (slice.first + group_of(group, groups)) * 64u + lane;
    if c.done == 1u || t >= c.pairs || roles[c.roles + t] != UNSEEN {
        return;
    }
    let i = larger_of(t);
    let j = t - i * (i - 1u) / 2u;
    let key = table[c.table + i * c.n + j];
    if key < c.low || key > c.high {
        return;
    }
    let name = name_of(i, j);
    let l = level_of(c, key, slice.a);
    let near_i = near[c.vertices + i];
    let near_j = near[c.vertices + j];
    var apex = NO_EDGE;
    var tried = 0u;
    for (var k = 0u; k < 8u && tried < TRIES; k++) {
        let v = select(near_j[k / 2u], near_i[k / 2u], k % 2u == 0u);
        if !in_lune(c, i, j, key, v) {
            continue;
        }
        if apex == NO_EDGE {
            apex = v;
        }
        tried++;
        var cone = true;
        for (var w = 0u; w < c.words && cone; w++) {
            var doubtful = within(c, l, i, w) & within(c, l, j, w) & ~surely(c, l, v, w);
            while doubtful != 0u {
                let z = w * 32u + countTrailingZeros(doubtful);
                doubtful &= doubtful - 1u;
                if z != v && !before(table[c.table + v * c.n + z], v, z, key, name) && in_lune(c, i, j, key, z) {
                    cone = false;
                    break;
                }
            }
        }
        if cone {
            roles[c.roles + t] = v;
            return;
        }
    }
    for (var w = 0u; w < c.words && apex == NO_EDGE; w++) {
        let lune = lune_word(c, i, j, key, l, w);
        if lune != 0u {
            apex = w * 32u + countTrailingZeros(lune);
        }
    }
    roles[c.roles + t] = apex;
    pending[c.roles + atomicAdd(&state[index * STATE_WORDS + PENDING], 1u)] = name;
}
