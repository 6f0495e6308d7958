//! Which objects make up a chain: segments from the largest level down, then loose batches. Pure.
//!
//! Invariant: the objects of an outline cover the chain without gap or overlap, up to its last batch.

use crate::ledger::record::Sequence;

/// How many objects of one level become one of the next.
pub const FAN: usize = 10;
/// How many levels of segments there are: the top one holds up to 10,000 batches.
pub const LEVELS: usize = 4;
/// The most bytes that are put into one segment; a single larger object is copied as it is.
pub const MOST_BYTES: usize = 16 << 20;

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Its level, from 1.
    pub level: usize,
    /// The first sequence in it.
    pub first: Sequence,
    /// The last sequence in it.
    pub last: Sequence,
    /// Its size.
    pub bytes: usize,
}

/// The name of a batch below `records/`.
pub fn record_name(first: Sequence) -> String {
    format!("{first:020}.json")
}

/// The sequence that a name below `records/` is of.
pub fn record_of(name: &str) -> Option<Sequence> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

impl Span {
    /// Its name below `segments/`.
    pub fn name(&self) -> String {
        format!("{}/{:020}-{:020}.jsonl", self.level, self.first, self.last)
    }

    /// The segment that a name below `segments/LEVEL/` is of.
    pub fn of(level: usize, name: &str, bytes: usize) -> Option<Self> {
        let (first, last) = name.strip_suffix(".jsonl")?.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let span = Self { level, first, last, bytes };
        (first <= last && span.name().ends_with(name)).then_some(span)
    }
}

/// Takes the segments that go on right behind `covered`, of several that begin there the longest.
/// `found` is sorted by name. Gives them, and whether there is a gap or an overlap, so that no later one fits.
pub fn contiguous(covered: &mut Sequence, found: &[Span]) -> (Vec<Span>, bool) {
    let mut taken: Vec<Span> = Vec::new();
    for span in found {
        match taken.last_mut() {
            Some(longer) if longer.first == span.first => *longer = *span,
            _ if span.first == *covered + 1 => taken.push(*span),
            _ if span.first > *covered + 1 => return (taken, true),
            _ => {}
        }
        *covered = taken.last().map_or(*covered, |span| span.last);
    }
    (taken, false)
}

/// The end of a chain as a writer keeps it in mind: what the next segments will be made of.
#[derive(Clone, Debug)]
pub struct Shape<T> {
    /// Per level, from 1, the segments that none of a higher level covers.
    pub levels: [Vec<Span>; LEVELS],
    /// The batches that no segment covers.
    pub loose: Vec<T>,
}

impl<T> Default for Shape<T> {
    fn default() -> Self {
        Self { levels: Default::default(), loose: Vec::new() }
    }
}

/// The next segment to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The first so many loose batches become a segment of a level.
    Loose {
        /// How many.
        count: usize,
        /// Of which level.
        level: usize,
    },
    /// The first so many segments of a level become one of the next.
    Segments {
        /// Of which level they are.
        level: usize,
        /// How many.
        count: usize,
    },
}

impl<T> Shape<T> {
    /// What to merge next, if anything. `size` tells the size of a batch.
    pub fn next(&self, size: impl Fn(&T) -> usize) -> Option<Merge> {
        for level in 1..LEVELS {
            let spans = &self.levels[level - 1];
            if spans.len() >= FAN {
                return Some(Merge::Segments { level, count: fitting(spans[..FAN].iter().map(|span| span.bytes)) });
            }
        }
        // Loose batches may skip levels, but only those in which nothing waits: readers go from the top down.
        let highest = (1..=LEVELS).find(|level| !self.levels[level - 1].is_empty()).unwrap_or(LEVELS);
        let level = (1..=highest).rev().find(|level| self.loose.len() >= FAN.pow(power(*level)))?;
        let count = fitting(self.loose[..FAN.pow(power(level))].iter().map(size));
        Some(Merge::Loose { count, level })
    }
}

fn power(level: usize) -> u32 {
    u32::try_from(level).expect("there are few levels")
}

/// How many of these fit into one segment; at least one.
fn fitting(sizes: impl Iterator<Item = usize>) -> usize {
    let mut sum = 0;
    let fits = |size: &usize| {
        sum += size;
        sum <= MOST_BYTES
    };
    sizes.take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(level: usize, first: Sequence, last: Sequence) -> Span {
        Span { level, first, last, bytes: 1 }
    }

    #[test]
    fn names_are_read_back() {
        assert_eq!(record_of(&record_name(17)), Some(17));
        assert_eq!((record_of("17.json"), record_of("x"), record_of("0000000000000000001x.json")), (None, None, None));
        let one = span(2, 11, 110);
        let name = one.name();
        assert_eq!(Span::of(2, name.strip_prefix("2/").unwrap(), 1), Some(one));
        assert_eq!(Span::of(2, "11-110.jsonl", 1), None);
    }

    #[test]
    fn gaps_end_it_and_overlaps_are_passed_over() {
        let mut covered = 0;
        let found = [span(1, 1, 10), span(1, 1, 12), span(1, 11, 20), span(1, 13, 22), span(1, 24, 30)];
        let (taken, ended) = contiguous(&mut covered, &found);
        assert_eq!((taken, ended, covered), (vec![found[1], found[3]], true, 22));
        assert_eq!(contiguous(&mut covered, &[]), (vec![], false));
    }

    /// Plays a writer, and counts what a reader has to ask for.
    fn requests_after(batches: u64) -> usize {
        let mut shape: Shape<Sequence> = Shape::default();
        let mut written = vec![Vec::new(); LEVELS];
        for sequence in 1..=batches {
            shape.loose.push(sequence);
            while let Some(merge) = shape.next(|_| 100) {
                let new = match merge {
                    Merge::Loose { count, level } => {
                        let gone: Vec<_> = shape.loose.drain(..count).collect();
                        span(level, gone[0], gone[count - 1])
                    }
                    Merge::Segments { level, count } => {
                        let gone: Vec<_> = shape.levels[level - 1].drain(..count).collect();
                        span(level + 1, gone[0].first, gone[count - 1].last)
                    }
                };
                shape.levels[new.level - 1].push(new);
                written[new.level - 1].push(new);
            }
        }
        let (mut covered, mut gets) = (0, 0);
        for level in (0..LEVELS).rev() {
            let (taken, _) = contiguous(&mut covered, &written[level]);
            assert_eq!(taken, shape.levels[level], "a reader takes what the writer has in mind");
            gets += taken.len();
        }
        assert_eq!(batches - covered, shape.loose.len() as u64);
        // A list of the loose ones before and after, and one per level.
        gets + shape.loose.len() + LEVELS + 2
    }

    #[test]
    fn ten_thousand_batches_are_never_more_than_fifty_requests() {
        assert_eq!(requests_after(10_000), 7);
        for batches in [0, 1, 9, 10, 999, 1_000, 9_999, 10_001] {
            assert!(requests_after(batches) <= 45, "{batches}: {}", requests_after(batches));
        }
    }

    #[test]
    fn many_loose_batches_skip_levels_but_not_past_waiting_segments() {
        let mut shape = Shape { loose: (1..=2_500).collect::<Vec<u64>>(), ..Shape::default() };
        assert_eq!(shape.next(|_| 100), Some(Merge::Loose { count: 1_000, level: 3 }));
        shape.levels[0].push(span(1, 1, 10));
        assert_eq!(shape.next(|_| 100), Some(Merge::Loose { count: 10, level: 1 }));
    }

    #[test]
    fn segments_stay_small_enough() {
        let shape = Shape { loose: (1..=10).collect::<Vec<u64>>(), ..Shape::default() };
        assert_eq!(shape.next(|_| MOST_BYTES / 3), Some(Merge::Loose { count: 3, level: 1 }));
        assert_eq!(shape.next(|_| MOST_BYTES * 2), Some(Merge::Loose { count: 1, level: 1 }));
    }
}
