// Which points are near which, at a few thresholds: sets of points as rows of bits, four words at a time.
//
// Of an edge between thresholds t[l - 1] < key <= t[l], everything in level l - 1 is shorter, everything outside level l is longer, and only
// what is between needs a look at the table. So a lune costs a few words and a few entries instead of 2 n entries.

// The level of a key: how many of the 16 thresholds are below it.
fn level_of(c: Cloud, key: u32) -> u32 {
    var below = vec4<u32>(0u);
    for (var k = 0u; k < 4u; k++) {
        below += select(vec4<u32>(0u), vec4<u32>(1u), levels[c.thresholds + k] < vec4<u32>(key));
    }
    return min(below.x + below.y + below.z + below.w, 15u);
}

// Points within level l of v: those of number 128 q to 128 q + 127.
fn within(c: Cloud, l: u32, v: u32, q: u32) -> vec4<u32> {
    return levels[c.levels + (l * c.n + v) * c.quads + q];
}

// Points that are surely nearer to v than an edge of level l is long.
fn surely(c: Cloud, l: u32, v: u32, q: u32) -> vec4<u32> {
    if l == 0u {
        return vec4<u32>(0u);
    }
    return within(c, l - 1u, v, q);
}

// Those of 32 points from z on that are in the lune of the edge {i, j}.
fn lune_word(c: Cloud, i: u32, j: u32, key: u32, z: u32, among: u32) -> u32 {
    var found = 0u;
    var left = among;
    while left != 0u {
        let bit = countTrailingZeros(left);
        left &= left - 1u;
        if in_lune(c, i, j, key, z + bit) {
            found |= 1u << bit;
        }
    }
    return found;
}

// Four words of the lune of the edge {i, j}.
fn lune_quad(c: Cloud, i: u32, j: u32, key: u32, l: u32, q: u32) -> vec4<u32> {
    let lune = surely(c, l, i, q) & surely(c, l, j, q);
    let between = within(c, l, i, q) & within(c, l, j, q) & ~lune;
    let z = q * 128u;
    return lune | vec4<u32>(
        lune_word(c, i, j, key, z, between.x),
        lune_word(c, i, j, key, z + 32u, between.y),
        lune_word(c, i, j, key, z + 64u, between.z),
        lune_word(c, i, j, key, z + 96u, between.w),
    );
}

// Whether z is closer to both ends of the edge {i, j} than it is long.
fn in_lune(c: Cloud, i: u32, j: u32, key: u32, z: u32) -> bool {
    let name = name_of(i, j);
    return before(table[c.table + i * c.row + z], i, z, key, name) && before(table[c.table + j * c.row + z], j, z, key, name);
}

// The first point of four words, or NO_EDGE.
fn first_point(q: u32, words: vec4<u32>) -> u32 {
    if words.x != 0u {
        return q * 128u + countTrailingZeros(words.x);
    }
    if words.y != 0u {
        return q * 128u + 32u + countTrailingZeros(words.y);
    }
    if words.z != 0u {
        return q * 128u + 64u + countTrailingZeros(words.z);
    }
    if words.w != 0u {
        return q * 128u + 96u + countTrailingZeros(words.w);
    }
    return NO_EDGE;
}
