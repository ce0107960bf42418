// Activation functions and their derivatives. In step with the table in src/nn/activation/table.rs,
// by src/nn/fused.rs.

override KIND: u32 = 0u;
override P0: f32 = 0.0;
override P1: f32 = 0.0;
override P2: f32 = 0.0;

const MEAN_ABS: f32 = 0.7978845608;

// Beyond 20 it is 1 to the last place, and some drivers overflow.
fn tangent(x: f32) -> f32 {
    return tanh(clamp(x, -20.0, 20.0));
}

fn logistic(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0)));
}

// What a fold is divided by.
fn fold_scale() -> f32 {
    let even = (1.0 + P0) * 0.5;
    let odd = (1.0 - P0) * 0.5;
    return 1.0 + P1 * (1.0 / sqrt(even * even * (1.0 - MEAN_ABS * MEAN_ABS) + odd * odd) - 1.0);
}

fn value(x: f32) -> f32 {
    switch KIND {
        case 1u: { return max(x, 0.0); }
        case 2u: { return max(x, 0.0) + P0 * min(x, 0.0); }
        case 3u: { return tangent(x); }
        case 4u: { return logistic(x); }
        case 5u: { return x * logistic(x); }
        case 6u: { return sin(P0 * x); }
        case 7u: { return sin(x) + P0 * x; }
        case 8u: { return x * cos(x); }
        case 9u: { return (max(x, -P0 * x) - P1 * (1.0 + P0) * 0.5 * MEAN_ABS) * fold_scale(); }
        case 10u: { return (x * tangent(P0 * x) - P1) * P2; }
        default: { return x; }
    }
}

fn slope(x: f32) -> f32 {
    switch KIND {
        case 1u: { return select(0.0, 1.0, x > 0.0); }
        case 2u: { return select(P0, 1.0, x > 0.0); }
        case 3u: { let t = tangent(x); return 1.0 - t * t; }
        case 4u: { let s = logistic(x); return s * (1.0 - s); }
        case 5u: { let s = logistic(x); return s + x * s * (1.0 - s); }
        case 6u: { return P0 * cos(P0 * x); }
        case 7u: { return cos(x) + P0; }
        case 8u: { return cos(x) - x * sin(x); }
        case 9u: { return select(-P0, 1.0, x > 0.0) * fold_scale(); }
        case 10u: { let t = tangent(P0 * x); return (t + P0 * x * (1.0 - t * t)) * P2; }
        default: { return 1.0; }
    }
}
