//! Every golden barcode, on both engines, alone and as one batch.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use common::{disagreement, golden_cases, gpu_engine};
use lacuna::topology::{Cloud, Engine, Options};

fn check(engine: &Engine) {
    let cases = golden_cases();
    assert_eq!(cases.len(), 41);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|c| {
            let got = engine.barcode(&c.cloud, &c.options).unwrap();
            disagreement(&c.bars, &got, c.tolerance).map(|why| format!("{}: {why}", c.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn golden_cases_on_the_cpu_engine() {
    check(&Engine::cpu());
}

#[test]
fn golden_cases_on_the_gpu_engine() {
    check(&gpu_engine());
}

#[test]
fn golden_cases_as_one_batch() {
    for engine in [Engine::cpu(), gpu_engine(), gpu_engine().with_tiny_pools()] {
        let cases = golden_cases();
        // Everything that shares its options goes in one call, whatever its size.
        for options in [Options::default(), Options::default().max_dim(2)] {
            let alike: Vec<_> = cases.iter().filter(|c| c.options == options).collect();
            assert!(alike.len() > 10);
            let clouds: Vec<Cloud> = alike.iter().map(|c| c.cloud.clone()).collect();
            let got = engine.barcodes(&clouds, &options).unwrap();
            for (case, got) in alike.iter().zip(&got) {
                assert_eq!(disagreement(&case.bars, got, case.tolerance), None, "{} on {:?}", case.name, engine.info());
            }
        }
    }
}

#[test]
fn the_comparison_rule_catches_a_stretched_bar() {
    for case in golden_cases() {
        let mut got = Engine::cpu().barcode(&case.cloud, &case.options).unwrap();
        let Some(bar) = got.bars.iter_mut().flatten().find(|b| b.death.is_finite()) else { continue };
        bar.death *= 1.001;
        assert!(disagreement(&case.bars, &got, case.tolerance.min(1e-5)).is_some(), "{}", case.name);
    }
}
