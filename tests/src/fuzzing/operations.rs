//! Everything a server's host, its players and the network can do, in any order.

mod effect;
mod operation;
mod settings;
mod stage;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::laws::{trace_hash, uphold};

use operation::Operation;
use settings::Settings;
use stage::Stage;

const OPERATIONS_MAX: usize = 96;
/// One seed of so many is run twice, to compare the traces.
const REPEATED_ONE_IN: u8 = 8;

/// An input: settings, and what happens then.
#[derive(Debug)]
pub struct Operations {
    settings: Settings,
    operations: Vec<Operation>,
}

impl<'a> Arbitrary<'a> for Operations {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let settings = Settings::arbitrary(input)?;
        let mut operations = Vec::new();
        while !input.is_empty() && operations.len() < OPERATIONS_MAX {
            operations.push(Operation::arbitrary(input)?);
        }
        Ok(Self { settings, operations })
    }
}

impl Operations {
    /// Runs the operations on a world whose laws hold after each, and where everything arrives once it is calm.
    ///
    /// # Panics
    ///
    /// If a law is broken.
    pub fn run(&self) {
        let trace = self.trace();
        if self.settings.seed.is_multiple_of(REPEATED_ONE_IN) {
            assert_eq!(self.trace(), trace, "the same input left another trace");
        }
    }

    fn trace(&self) -> u64 {
        let mut stage = Stage::new(&self.settings);
        for operation in &self.operations {
            stage.take(operation);
            uphold(stage.watch.check(&stage.world));
        }
        stage.calm_down();
        trace_hash(&stage.world)
    }
}
