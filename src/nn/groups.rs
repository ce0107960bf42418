//! Which filters go together.
//!
//! A filter's channel passes through norms, activations and poolings to whatever reads it. Where a
//! residual addition joins two convolutions, channel `i` of one is added to channel `i` of the
//! other: they can only be removed together. A group is all that shares its channels in this way,
//! the sets that [`crate::prune::cut`] shrinks. (Torch-Pruning finds the same by tracing; here the
//! architecture says it.)

use super::{Arch, Layer, Shape};
use crate::error::Result;

/// What reads a group's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The convolution of this layer index.
    Conv(usize),
    /// The linear layer of this index, each channel as a plane of this many numbers.
    Linear(usize, usize),
}

impl Reader {
    /// Index of the layer.
    pub fn layer(self) -> usize {
        match self {
            Reader::Conv(at) | Reader::Linear(at, _) => at,
        }
    }
}

/// Channels that can only be removed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Convolutions whose filters they are, by layer index; the first names the group.
    pub convs: Vec<usize>,
    /// Batch norms of them.
    pub norms: Vec<usize>,
    /// Depthwise convolutions that hand the channels on, each to itself.
    pub depthwise: Vec<usize>,
    /// What reads them.
    pub readers: Vec<Reader>,
    /// Shortcuts that take channels from the group.
    pub out_of: Vec<usize>,
    /// Shortcuts that give channels to the group.
    pub into: Vec<usize>,
    /// Layers after which the filters are seen as others see them: the activations, or the
    /// convolutions if there are none.
    pub seen: Vec<usize>,
    /// Number of filters of each.
    pub filters: usize,
}

impl Group {
    /// Index of the convolution that names the group.
    pub fn leader(&self) -> usize {
        self.convs.first().copied().unwrap_or(0)
    }

    /// Whether a residual addition couples it.
    pub fn is_coupled(&self) -> bool {
        self.convs.len() > 1 || !self.into.is_empty() || !self.out_of.is_empty()
    }

    /// Whether each filter has one convolution, at most one norm and one activation of its own, and
    /// nothing else before it is read.
    pub fn is_plain(&self) -> bool {
        !self.is_coupled() && self.depthwise.is_empty() && self.norms.len() <= 1 && self.seen.len() == 1
    }
}

/// Sets of channels, of which some turn out to be the same.
struct Spaces(Vec<usize>);

impl Spaces {
    fn new_one(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn root(&self, mut at: usize) -> usize {
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

impl Arch {
    /// The groups whose filters can be removed, in the order of their first convolutions: all but
    /// those that come in with the input or go out as the answer, and those that a convolution in
    /// several parts reads or gives, unless it is depthwise.
    ///
    /// # Errors
    /// As [`Arch::shapes`].
    pub fn groups(&self) -> Result<Vec<Group>> {
        let shapes = self.shapes()?;
        let mut spaces = Spaces(Vec::new());
        let input = spaces.new_one();
        // The set of channels after each layer, and numbers per channel since it was flattened.
        let mut after: Vec<(usize, usize)> = Vec::with_capacity(self.layers.len());
        let (mut now, mut plane) = (input, 1);
        let mut whole = vec![input];
        for (at, layer) in self.layers.iter().enumerate() {
            match *layer {
                Layer::Conv { .. } if layer.is_depthwise() => {}
                Layer::Conv { groups, .. } if groups > 1 => {
                    let before = now;
                    (now, plane) = (spaces.new_one(), 1);
                    whole.extend([before, now]);
                }
                Layer::Conv { .. } | Layer::Linear { .. } | Layer::Shortcut { .. } => (now, plane) = (spaces.new_one(), 1),
                Layer::Flatten => {
                    if let Shape::Maps(_, h, w) = shapes[at] {
                        plane = h * w;
                    }
                }
                Layer::Branch { from } => (now, plane) = after[from],
                Layer::Add { with } => spaces.join(now, after[with].0),
                Layer::BatchNorm { .. }
                | Layer::Activation { .. }
                | Layer::MaxPool { .. }
                | Layer::AvgPool { .. }
                | Layer::Dropout { .. }
                | Layer::GlobalMean => {}
            }
            after.push((now, plane));
        }
        whole.push(now);
        let whole: Vec<usize> = whole.into_iter().map(|s| spaces.root(s)).collect();
        let mut groups: Vec<(usize, Group)> = Vec::new();
        for (at, layer) in self.layers.iter().enumerate() {
            let Layer::Conv { output, .. } = *layer else { continue };
            let root = spaces.root(after[at].0);
            if whole.contains(&root) || layer.is_depthwise() {
                continue;
            }
            match groups.iter_mut().find(|(r, _)| *r == root) {
                Some((_, group)) => group.convs.push(at),
                None => groups.push((root, Group { convs: vec![at], filters: output, ..Group::default() })),
            }
        }
        for (at, layer) in self.layers.iter().enumerate() {
            let before = at.checked_sub(1).map_or((input, 1), |b| after[b]);
            let (out, into) = (spaces.root(before.0), spaces.root(after[at].0));
            for (root, group) in &mut groups {
                if *root == out {
                    match layer {
                        Layer::Conv { .. } if layer.is_depthwise() => group.depthwise.push(at),
                        Layer::Conv { .. } => group.readers.push(Reader::Conv(at)),
                        Layer::Linear { .. } => group.readers.push(Reader::Linear(at, before.1)),
                        Layer::BatchNorm { .. } => group.norms.push(at),
                        Layer::Activation { .. } => group.seen.push(at),
                        Layer::Shortcut { .. } => group.out_of.push(at),
                        _ => {}
                    }
                }
                if *root == into && matches!(layer, Layer::Shortcut { .. }) {
                    group.into.push(at);
                }
            }
        }
        let mut groups: Vec<Group> = groups.into_iter().map(|(_, g)| g).collect();
        for group in groups.iter_mut().filter(|g| g.seen.is_empty()) {
            group.seen = if group.norms.is_empty() { group.convs.clone() } else { group.norms.clone() };
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::super::zoo::named;
    use super::*;
    use crate::nn::Activation;

    fn relu() -> Activation {
        Activation::parse("relu").unwrap()
    }

    #[test]
    fn a_chain_has_one_group_per_convolution() {
        let arch = Arch::cnn([1, 28, 28], &[16, 32], 64, 10, relu()).unwrap();
        let groups = arch.groups().unwrap();
        assert_eq!(groups.len(), 2);
        let want = Group {
            convs: vec![0],
            norms: vec![1],
            readers: vec![Reader::Conv(4)],
            seen: vec![2],
            filters: 16,
            ..Group::default()
        };
        assert_eq!(groups[0], want);
        assert_eq!(groups[1].readers, [Reader::Linear(9, 49)]);
        let vgg = named("vgg16-bn", [3, 32, 32], 10, relu()).unwrap();
        assert_eq!(vgg.groups().unwrap().iter().map(|g| g.filters).sum::<usize>(), 4224);
        let plain = Arch::cnn([1, 28, 28], &[16, 32], 64, 10, relu()).unwrap().without_norms();
        assert_eq!(plain.groups().unwrap()[0].seen, [1]);
        assert!(Arch::mlp(2, 3, 4, 2, relu()).unwrap().groups().unwrap().is_empty());
    }

    #[test]
    fn additions_couple() {
        let arch = named("resnet20", [3, 32, 32], 10, relu()).unwrap();
        let groups = arch.groups().unwrap();
        // One per stage, and one inside each of the nine blocks.
        let coupled: Vec<&Group> = groups.iter().filter(|g| g.is_coupled()).collect();
        assert_eq!((groups.len(), coupled.len()), (12, 3));
        assert_eq!(coupled.iter().map(|g| g.convs.len()).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!(coupled.iter().map(|g| g.seen.len()).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!((coupled[0].into.len(), coupled[0].out_of.len(), coupled[2].into.len()), (0, 1, 1));
        // Stage 1: the first convolutions of its three blocks and of stage 2.
        assert_eq!(coupled[0].readers.len(), 4);
        assert_eq!(coupled[2].readers.last(), Some(&Reader::Linear(arch.layers.len() - 1, 1)));
    }
}
