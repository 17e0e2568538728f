//! What tells the rows of two tables apart, whatever their order.

use sha2::{Digest as _, Sha256};

use crate::db::Cell;

/// Counts rows, and adds up the SHA-256 of each: the same for the same rows in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    rows: u64,
    sum: [u128; 2],
}

impl Digest {
    /// Takes in a row.
    pub(super) fn add(&mut self, row: impl IntoIterator<Item = Cell>) {
        let mut hash = Sha256::new();
        for cell in row {
            // What a cell is, and how long, so that no two rows are one text.
            match cell {
                Cell::Null => hash.update([0]),
                Cell::Integer(number) => {
                    hash.update([1]);
                    hash.update(number.to_le_bytes());
                }
                Cell::Real(number) => {
                    hash.update([2]);
                    // SQLite has one zero.
                    let number = if number == 0.0 { 0.0 } else { number };
                    hash.update(number.to_bits().to_le_bytes());
                }
                Cell::Text(text) => {
                    hash.update([3]);
                    hash.update((text.len() as u64).to_le_bytes());
                    hash.update(text);
                }
            }
        }
        let hash: [u8; 32] = hash.finalize().into();
        for (sum, half) in self.sum.iter_mut().zip(hash.chunks_exact(16)) {
            *sum = sum.wrapping_add(half.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)));
        }
        self.rows += 1;
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// As text of 64 digits.
    pub(super) fn hex(&self) -> String {
        format!("{:032x}{:032x}", self.sum[0], self.sum[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&[Cell]]) -> Digest {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row.iter().cloned()));
        digest
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        let (one, other) = ([Cell::Integer(1), text("a")], [Cell::Integer(2), text("b")]);
        let whole = digest(&[&one, &other]);
        assert_eq!(whole, digest(&[&other, &one]));
        assert_eq!((whole.rows(), whole.hex().len()), (2, 64));
        for rows in [
            &[&one[..]][..],
            &[&one, &one],
            &[&one, &other, &other],
            &[&[Cell::Integer(2), text("a")], &[Cell::Integer(1), text("b")]],
            &[&[Cell::Integer(1), text("a ")], &other],
            &[&[text("1"), text("a")], &other],
            &[&[Cell::Real(1.0), text("a")], &other],
        ] {
            assert_ne!(whole, digest(rows), "{rows:?}");
        }
        assert_ne!(digest(&[&[text("a"), text("")]]), digest(&[&[text(""), text("a")]]));
        assert_ne!(digest(&[&[Cell::Null]]), digest(&[&[text("")]]));
        assert_eq!(digest(&[&[Cell::Real(-0.0)]]), digest(&[&[Cell::Real(0.0)]]));
    }
}
