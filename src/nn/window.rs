//! The window that a convolution or a pooling moves over a plane.

use super::Layer;
use burn::nn::PaddingConfig2d;
use serde::{Deserialize, Serialize};

/// A number for rows and one for columns. JSON has one number where both are the same, else `[rows,
/// columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Sides {
    /// Along the height of a plane.
    pub rows: usize,
    /// Along its width.
    pub columns: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Both(usize),
    Each([usize; 2]),
}

impl From<Written> for Sides {
    fn from(written: Written) -> Self {
        match written {
            Written::Both(n) => n.into(),
            Written::Each([rows, columns]) => Self { rows, columns },
        }
    }
}

impl From<Sides> for Written {
    fn from(Sides { rows, columns }: Sides) -> Self {
        if rows == columns { Written::Both(rows) } else { Written::Each([rows, columns]) }
    }
}

impl From<usize> for Sides {
    fn from(n: usize) -> Self {
        Self { rows: n, columns: n }
    }
}

impl Sides {
    pub(super) const fn both(n: usize) -> Self {
        Self { rows: n, columns: n }
    }

    pub(super) fn is(&self, n: usize) -> bool {
        [self.rows, self.columns] == [n; 2]
    }

    /// Rows, then columns.
    pub fn array(self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// Rows times columns.
    pub fn area(self) -> usize {
        self.rows.saturating_mul(self.columns)
    }
}

/// How large the window is, how far it steps, and how many rows and columns are put around the
/// plane on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its size.
    pub size: Sides,
    /// Its steps.
    pub stride: Sides,
    /// Rows above and below the plane, columns left and right of it.
    pub padding: Sides,
}

impl Window {
    /// That of a convolution or a pooling.
    pub fn of(layer: &Layer) -> Option<Self> {
        match *layer {
            Layer::Conv { kernel: size, stride, padding, .. } => {
                let half = Sides { rows: size.rows / 2, columns: size.columns / 2 };
                Some(Self { size, stride, padding: padding.unwrap_or(half) })
            }
            Layer::MaxPool { size, stride, padding } | Layer::AvgPool { size, stride, padding } => {
                Some(Self { size, stride: stride.unwrap_or(size), padding })
            }
            _ => None,
        }
    }

    /// The rows and columns around the plane, as burn takes them.
    pub(super) fn around(self) -> PaddingConfig2d {
        let Sides { rows, columns } = self.padding;
        PaddingConfig2d::Explicit(rows, columns, rows, columns)
    }

    /// Height and width of what it gives from a plane, if it fits at least once.
    pub fn over(self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let side = |n: usize, size: usize, stride: usize, padding: usize| {
            let free = padding.checked_mul(2)?.checked_add(n)?.checked_sub(size)?;
            (size > 0).then(|| free.checked_div(stride)).flatten().map(|steps| steps + 1)
        };
        let Self { size, stride, padding } = self;
        let rows = side(height, size.rows, stride.rows, padding.rows)?;
        Some([rows, side(width, size.columns, stride.columns, padding.columns)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_of_windows() {
        let window = |size: [usize; 2], stride: usize, padding: [usize; 2]| {
            let of = |[rows, columns]: [usize; 2]| Sides { rows, columns };
            Window { size: of(size), stride: stride.into(), padding: of(padding) }
        };
        assert_eq!(window([3, 3], 1, [1, 1]).over([7, 5]), Some([7, 5]));
        assert_eq!(window([1, 7], 1, [0, 3]).over([7, 5]), Some([7, 5]));
        assert_eq!(window([4, 4], 2, [1, 1]).over([8, 6]), Some([4, 3]));
        assert_eq!(window([2, 2], 2, [0, 0]).over([7, 5]), Some([3, 2]));
        assert_eq!(window([8, 1], 1, [0, 0]).over([7, 5]), None);
        assert_eq!(window([1, 1], 0, [0, 0]).over([7, 5]), None);
        assert_eq!(window([3, 3], 1, [usize::MAX / 2 + 2, 0]).over([7, 5]), None, "twice this padding wraps around");
    }

    #[test]
    fn one_number_where_both_are_the_same() {
        let text = |rows, columns| serde_json::to_string(&Sides { rows, columns }).unwrap();
        assert_eq!((text(3, 3), text(1, 7)), ("3".into(), "[1,7]".into()));
        assert_eq!(serde_json::from_str::<Sides>("[1,7]").unwrap(), Sides { rows: 1, columns: 7 });
        assert_eq!(serde_json::from_str::<Sides>("5").unwrap(), 5.into());
    }
}
