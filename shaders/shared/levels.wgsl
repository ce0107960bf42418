// Which points are near which, at a few thresholds: sets of points as rows of bits.
//
// Of an edge between thresholds t[l - 1] < key <= t[l], everything in level l - 1 is shorter, everything outside level l is longer, and only
// what is between needs a look at the table. So a lune costs a few words and a few entries instead of 2 n entries.

// The level of a key: the first whose threshold is not below it.
fn level_of(c: Cloud, key: u32, count: u32) -> u32 {
    var l = 0u;
    while l + 1u < count && levels[c.thresholds + l] < key {
        l++;
    }
    return l;
}

// Points within level l of v, word w.
fn within(c: Cloud, l: u32, v: u32, w: u32) -> u32 {
    return levels[c.levels + (l * c.n + v) * c.words + w];
}

// Points that are surely nearer to v than an edge of level l is long.
fn surely(c: Cloud, l: u32, v: u32, w: u32) -> u32 {
    if l == 0u {
        return 0u;
    }
    return within(c, l - 1u, v, w);
}

// Word w of the lune of the edge {i, j}.
fn lune_word(c: Cloud, i: u32, j: u32, key: u32, l: u32, w: u32) -> u32 {
    var lune = surely(c, l, i, w) & surely(c, l, j, w);
    var between = within(c, l, i, w) & within(c, l, j, w) & ~lune;
    while between != 0u {
        let bit = countTrailingZeros(between);
        between &= between - 1u;
        let z = w * 32u + bit;
        if in_lune(c, i, j, key, z) {
            lune |= 1u << bit;
        }
    }
    return lune;
}

// Whether z is closer to both ends of the edge {i, j} than it is long.
fn in_lune(c: Cloud, i: u32, j: u32, key: u32, z: u32) -> bool {
    let name = name_of(i, j);
    return before(table[c.table + i * c.n + z], i, z, key, name) && before(table[c.table + j * c.n + z], j, z, key, name);
}
