// Sums of columns, which are rows of bits over the loops.

// Adds column `source` to column `sink`, whose pivots are the same; returns the new pivot of the
// sum.
fn add_column(c: Cloud, sink: u32, source: u32, pivot: u32) -> u32 {
    let to = c.bits + sink * c.bit_quads;
    let by = c.bits + source * c.bit_quads;
    var next = NO_EDGE;
    for (var q = 0u; q <= pivot / 128u; q++) {
        let sum = bits_at(to + q) ^ bits_at(by + q);
        set_bits(to + q, sum);
        if any(sum != vec4<u32>(0u)) {
            next = q * 128u + highest(sum);
        }
    }
    return next;
}

// The highest bit of four words that are not all zero.
fn highest(words: vec4<u32>) -> u32 {
    if words.w != 0u {
        return 127u - countLeadingZeros(words.w);
    }
    if words.z != 0u {
        return 95u - countLeadingZeros(words.z);
    }
    if words.y != 0u {
        return 63u - countLeadingZeros(words.y);
    }
    return 31u - countLeadingZeros(words.x);
}
