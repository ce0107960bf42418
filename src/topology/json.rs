//! Barcodes as JSON, written and read back: `{"n": 3, "metric": "euclidean", "threshold": null,
//! "max_dim": 1, "bars": {"0": [[0.0, null]], "1": []}}`. A bar is its birth and its death, `null`
//! if it never dies. Where they were asked for, `"cycles"` lists those of the longest bars, and
//! `"edges"` gives for every bar the vertex or the edge of its birth and the edge of its death,
//! `"cocycles"` a cocycle.

use super::{Answer, Bar, BarEdges, Barcode, Cocycle, Cycle, EngineInfo, Metric, Seconds};
use serde::de::Error as _;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

impl Serialize for Bar {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.birth, self.death.is_finite().then_some(self.death)).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Bar {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (birth, death) = <(f32, Option<f32>)>::deserialize(d)?;
        Ok(Self { birth, death: death.unwrap_or(f32::INFINITY) })
    }
}

impl Serialize for BarEdges {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (&self.birth, self.death).serialize(s)
    }
}

impl<'de> Deserialize<'de> for BarEdges {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (birth, death) = <(Vec<u32>, Option<[u32; 2]>)>::deserialize(d)?;
        Ok(Self { birth, death })
    }
}

/// One list for each dimension, under its number.
fn by_dimension<T>(lists: &[Vec<T>]) -> BTreeMap<usize, &Vec<T>> {
    lists.iter().enumerate().collect()
}

/// Entries by name, in their order.
struct Map<'a, K, V>(&'a [(K, V)]);

impl<K: Serialize, V: Serialize> Serialize for Map<'_, K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(k, v)| (k, v)))
    }
}

fn entries<M: SerializeMap>(map: &mut M, barcode: &Barcode, engine: Option<&EngineInfo>) -> Result<(), M::Error> {
    map.serialize_entry("n", &barcode.n)?;
    if let Some(all) = barcode.sampled_from {
        map.serialize_entry("sampled_from", &all)?;
        map.serialize_entry("covering_radius", &barcode.covering_radius)?;
    }
    map.serialize_entry("metric", &barcode.metric)?;
    map.serialize_entry("threshold", &barcode.threshold)?;
    map.serialize_entry("max_dim", &barcode.max_dim())?;
    if let Some(engine) = engine {
        map.serialize_entry("engine", engine)?;
    }
    map.serialize_entry("bars", &by_dimension(&barcode.bars))?;
    if let Some(cycles) = &barcode.cycles {
        map.serialize_entry("cycles", cycles)?;
    }
    if let Some(edges) = &barcode.edges {
        map.serialize_entry("edges", &by_dimension(edges))?;
    }
    if let Some(cocycles) = &barcode.cocycles {
        map.serialize_entry("cocycles", &by_dimension(cocycles))?;
    }
    Ok(())
}

impl Serialize for Barcode {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        entries(&mut map, self, None)?;
        map.end()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        entries(&mut map, &self.barcode, Some(&self.engine))?;
        map.serialize_entry("seconds", &Map(&self.seconds))?;
        map.end()
    }
}

/// What is read of either.
#[derive(Deserialize)]
struct Written {
    n: usize,
    #[serde(default)]
    sampled_from: Option<usize>,
    #[serde(default)]
    covering_radius: Option<f32>,
    metric: Metric,
    #[serde(default)]
    threshold: Option<f32>,
    bars: BTreeMap<usize, Vec<Bar>>,
    #[serde(default)]
    cycles: Option<Vec<Cycle>>,
    #[serde(default)]
    edges: Option<BTreeMap<usize, Vec<BarEdges>>>,
    #[serde(default)]
    cocycles: Option<BTreeMap<usize, Vec<Cocycle>>>,
    #[serde(default)]
    engine: Option<EngineInfo>,
    #[serde(default)]
    seconds: BTreeMap<String, f64>,
}

impl Written {
    fn barcode<E: serde::de::Error>(self) -> Result<(Barcode, Option<EngineInfo>, Seconds), E> {
        if self.bars.is_empty() || self.bars.keys().copied().ne(0..self.bars.len()) {
            return Err(E::custom("the bars must be of the dimensions 0, 1, ... up to some, none left out"));
        }
        if self.edges.as_ref().is_some_and(|edges| !edges.iter().map(count).eq(self.bars.iter().map(count))) {
            return Err(E::custom("the edges must be of the same dimensions as the bars, and as many in each"));
        }
        let of_higher = |(&dim, bars): (&usize, &Vec<Bar>)| (dim, if dim == 0 { 0 } else { bars.len() });
        if self.cocycles.as_ref().is_some_and(|all| !all.iter().map(count).eq(self.bars.iter().map(of_higher))) {
            return Err(E::custom("the cocycles must be of the same dimensions as the bars, and as many in each but the first"));
        }
        let barcode = Barcode {
            n: self.n,
            metric: self.metric,
            threshold: self.threshold,
            sampled_from: self.sampled_from,
            covering_radius: self.covering_radius,
            bars: self.bars.into_values().collect(),
            edges: self.edges.map(|edges| edges.into_values().collect()),
            cycles: self.cycles,
            cocycles: self.cocycles.map(|cocycles| cocycles.into_values().collect()),
        };
        Ok((barcode, self.engine, self.seconds.into_iter().collect()))
    }
}

/// A dimension and how many bars it has.
fn count<T>((dim, list): (&usize, &Vec<T>)) -> (usize, usize) {
    (*dim, list.len())
}

impl<'de> Deserialize<'de> for Barcode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Written::deserialize(d)?.barcode()?.0)
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (barcode, engine, seconds) = Written::deserialize(d)?.barcode()?;
        Ok(Self { barcode, engine: engine.ok_or_else(|| D::Error::missing_field("engine"))?, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two points and a loop that never closes.
    fn sample() -> Barcode {
        let end = f32::INFINITY;
        let bars = vec![
            vec![Bar { birth: 0.0, death: 1.0 }, Bar { birth: 0.0, death: end }],
            vec![Bar { birth: 2.0, death: 3.0 }, Bar { birth: 2.0, death: end }],
        ];
        Barcode {
            n: 3,
            metric: Metric::Euclidean,
            threshold: None,
            sampled_from: None,
            covering_radius: None,
            bars,
            edges: None,
            cycles: None,
            cocycles: None,
        }
    }

    #[test]
    fn json_has_the_published_shape() {
        let engine = EngineInfo { kind: "cpu".into(), adapter: "2 threads".into() };
        let a = Answer { barcode: sample(), engine, seconds: vec![("total".into(), 0.5)] };
        assert_eq!(
            serde_json::to_string(&a).unwrap(),
            r#"{"n":3,"metric":"euclidean","threshold":null,"max_dim":1,"engine":{"kind":"cpu","adapter":"2 threads"},"bars":{"0":[[0.0,1.0],[0.0,null]],"1":[[2.0,3.0],[2.0,null]]},"seconds":{"total":0.5}}"#
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        let engine = EngineInfo { kind: "cpu".into(), adapter: "2 threads".into() };
        let barcode = Barcode {
            threshold: Some(0.1),
            sampled_from: Some(9),
            covering_radius: Some(0.25),
            metric: Metric::KnnHops,
            ..sample()
        };
        let answer = Answer { barcode: barcode.clone(), engine, seconds: vec![("total".into(), 0.5)] };
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
        assert_eq!(serde_json::from_str::<Barcode>(&text).unwrap(), barcode);
        let alone = serde_json::to_string(&barcode).unwrap();
        let edge = |death| BarEdges { birth: vec![0, 2], death };
        let edges = Some(vec![vec![edge(Some([1, 2])), edge(None)]; 2]);
        let cycles = Some(vec![Cycle { birth: 2.0, death: None, edges: vec![[0, 1], [1, 2]] }]);
        let cocycle = |death| Cocycle { birth: 2.0, death, simplices: vec![vec![0, 2]] };
        let cocycles = Some(vec![vec![], vec![cocycle(Some(3.0)), cocycle(None)]]);
        let named = Barcode { edges, cycles, cocycles, ..barcode.clone() };
        let text = serde_json::to_string(&named).unwrap();
        assert!(text.contains(r#""edges":{"0":[[[0,2],[1,2]],[[0,2],null]],"1""#), "{text}");
        assert_eq!(serde_json::from_str::<Barcode>(&text).unwrap(), named);
        let fewer = text.replace(r#",[[0,2],null]"#, "");
        assert!(serde_json::from_str::<Barcode>(&fewer).unwrap_err().to_string().contains("as many"));
        assert_eq!(serde_json::from_str::<Barcode>(&alone).unwrap(), barcode);
        for bad in [r#"{"n":1,"metric":"euclidean","bars":{}}"#, r#"{"n":1,"metric":"euclidean","bars":{"1":[]}}"#] {
            assert!(serde_json::from_str::<Barcode>(bad).unwrap_err().to_string().contains("dimensions"));
        }
    }
}
