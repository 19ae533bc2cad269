//! Who is near: a grid of cells over the square, so that nobody has to be compared with everybody.

use rejoin::SessionId;

use super::motion::Motion;
use crate::arena_wire::SIDE;

/// Players that a cell holds on average; fewer only make more empty cells.
const PLAYERS_PER_CELL: usize = 4;

/// Cells along one side at most.
const CELLS_PER_SIDE_MAX: usize = 64;

/// A player as another finds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbour {
    pub(super) distance_squared: f32,
    pub(super) id: SessionId,
    pub(super) motion: Motion,
}

/// The places of all players at one moment.
#[derive(Debug, Default)]
pub(super) struct Grid {
    cells_per_side: usize,
    /// Row by row. Cells keep their room between fillings.
    cells: Vec<Vec<(SessionId, Motion)>>,
    /// Room for one search, kept between calls.
    found: Vec<Neighbour>,
}

impl Grid {
    /// Takes the places of these players, and forgets all former ones.
    pub(super) fn fill(&mut self, players: impl ExactSizeIterator<Item = (SessionId, Motion)>) {
        self.cells_per_side = (players.len() / PLAYERS_PER_CELL).isqrt().clamp(1, CELLS_PER_SIDE_MAX);
        self.cells.iter_mut().for_each(Vec::clear);
        self.cells.resize_with(self.cells_per_side * self.cells_per_side, Vec::new);
        for (id, motion) in players {
            let (column, row) = self.cell_of(motion);
            self.cells[row * self.cells_per_side + column].push((id, motion));
        }
    }

    /// The `count` players nearest to `centre`, from near to far; of those equally far, the smaller id first.
    pub(super) fn nearest(&mut self, centre: Motion, count: usize) -> &[Neighbour] {
        self.found.clear();
        for ring in 0..self.cells_per_side {
            self.search_ring(centre, ring);
            // Whoever is outside the rings so far is farther away than this.
            let complete = self.distance_to_next_ring(centre, ring).powi(2);
            if self.found.iter().filter(|other| other.distance_squared < complete).count() >= count {
                break;
            }
        }
        let order = |a: &Neighbour, b: &Neighbour| {
            a.distance_squared.total_cmp(&b.distance_squared).then(a.id.cmp(&b.id))
        };
        if count < self.found.len() {
            self.found.select_nth_unstable_by(count, order);
            self.found.truncate(count);
        }
        self.found.sort_unstable_by(order);
        &self.found
    }

    /// Looks into the cells that are `ring` steps from the centre's, straight or diagonally.
    fn search_ring(&mut self, centre: Motion, ring: usize) {
        let (column, row) = self.cell_of(centre);
        let last = self.cells_per_side - 1;
        for y in row.saturating_sub(ring)..=(row + ring).min(last) {
            let is_whole_row = y.abs_diff(row) == ring;
            // Between its first and its last row, a ring has two cells in each.
            let step = if is_whole_row || ring == 0 { 1 } else { 2 * ring };
            for x in (0..=2 * ring).step_by(step) {
                let Some(x) = (column + x).checked_sub(ring).filter(|&x| x <= last) else { continue };
                let cell = &self.cells[y * self.cells_per_side + x];
                self.found.extend(cell.iter().map(|&(id, motion)| Neighbour {
                    distance_squared: centre.distance_squared(motion),
                    id,
                    motion,
                }));
            }
        }
    }

    /// How far it is at least to any cell outside this ring.
    #[expect(clippy::cast_precision_loss, reason = "a few cells")]
    fn distance_to_next_ring(&self, centre: Motion, ring: usize) -> f32 {
        let cell_side = SIDE / self.cells_per_side as f32;
        let (x, y) = centre.place();
        let within = |coordinate: f32| coordinate.rem_euclid(cell_side);
        let to_border =
            [x, y].map(|coordinate| within(coordinate).min(cell_side - within(coordinate)).max(0.0));
        to_border[0].min(to_border[1]) + ring as f32 * cell_side
    }

    /// Column and row of the cell that a place is in.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "places are within the square, and what is not goes to its edge"
    )]
    fn cell_of(&self, motion: Motion) -> (usize, usize) {
        let index = |coordinate: f32| {
            ((coordinate / SIDE * self.cells_per_side as f32) as usize).min(self.cells_per_side - 1)
        };
        let (x, y) = motion.place();
        (index(x), index(y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u32) -> SessionId {
        SessionId { index, generation: 0 }
    }

    /// Players at random places; where `crowded`, all of them in one corner and some at the very same place.
    fn crowd(count: u32, crowded: bool, seed: u64) -> Vec<(SessionId, Motion)> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut place = || {
            let share = if crowded { f32::from(random.u8(0..20)) / 400.0 } else { random.f32_inclusive() };
            share * SIDE
        };
        (0..count).map(|index| (id(index), Motion::resting_at(place(), place()))).collect()
    }

    fn naive(players: &[(SessionId, Motion)], centre: Motion, count: usize) -> Vec<SessionId> {
        let mut all: Vec<_> =
            players.iter().map(|&(id, motion)| (centre.distance_squared(motion), id)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.into_iter().take(count).map(|(_, id)| id).collect()
    }

    #[test]
    fn the_nearest_are_those_that_a_search_among_all_finds() {
        let mut grid = Grid::default();
        for (seed, count) in [0, 1, 3, 16, 17, 250, 1_000].into_iter().enumerate() {
            for crowded in [false, true] {
                let players = crowd(count, crowded, seed as u64);
                grid.fill(players.iter().copied());
                for &(_, centre) in players.iter().step_by(7) {
                    for wanted in [0, 1, 5, 114, 5_000] {
                        let found: Vec<_> = grid.nearest(centre, wanted).iter().map(|it| it.id).collect();
                        assert_eq!(found, naive(&players, centre, wanted), "{count} {crowded} {centre:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn corners_and_cell_borders_are_places_like_others() {
        let border = SIDE / 8.0;
        let places = [0.0, border, border * 4.0, SIDE];
        let mut players = crowd(256, false, 9);
        let edges = places.iter().flat_map(|&x| places.map(|y| Motion::resting_at(x, y)));
        players.extend((256..).map(id).zip(edges));
        let mut grid = Grid::default();
        grid.fill(players.iter().copied());
        for &(_, centre) in &players[256..] {
            let found: Vec<_> = grid.nearest(centre, 20).iter().map(|it| it.id).collect();
            assert_eq!(found, naive(&players, centre, 20), "{centre:?}");
        }
    }

    #[test]
    fn a_search_among_many_looks_at_few() {
        let players = crowd(4_000, false, 3);
        let mut grid = Grid::default();
        grid.fill(players.iter().copied());
        let looked_at: usize = (0..4)
            .map(|ring| {
                grid.found.clear();
                grid.search_ring(players[0].1, ring);
                grid.found.len()
            })
            .sum();
        assert!(looked_at < 400, "{looked_at}");
    }

    #[test]
    fn filling_forgets_who_was_there() {
        let mut grid = Grid::default();
        grid.fill(crowd(100, false, 1).into_iter());
        grid.fill(crowd(2, false, 1).into_iter());
        assert_eq!(grid.nearest(Motion::resting_at(0.0, 0.0), 100).len(), 2);
    }
}
