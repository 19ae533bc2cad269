//! What the command line says.

use rejoin_tests::simulator::Settings;

/// How the program is called.
pub(crate) const USAGE: &str = "usage: simulate [--seeds N] [--from SEED] [--seconds S] [--peers N] [--trace]
  --seeds N     how many seeds to play, 100 by default; one alone also prints its plan
  --from SEED   the first seed, 0 by default
  --seconds S   the virtual seconds of each, 1 to 86400, 60 by default
  --peers N     the players of each, 1 to 800, 8 by default
  --trace       a line for everything that happens with the first seed, which is played alone";

/// Which seeds are played, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) seeds: u64,
    pub(crate) from: u64,
    pub(crate) settings: Settings,
    pub(crate) trace: bool,
}

impl Arguments {
    /// Reads the words after the program's name.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments =
            Self { seeds: 100, from: 0, settings: Settings { seconds: 60, peers: 8 }, trace: false };
        while let Some(option) = words.next() {
            if option == "--trace" {
                arguments.trace = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
            let number: u64 = value.parse().map_err(|_| format!("{option} needs a number, not {value}"))?;
            match option.as_str() {
                "--seeds" => arguments.seeds = number,
                "--from" => arguments.from = number,
                "--seconds" if (1..=86_400).contains(&number) => arguments.settings.seconds = number,
                "--peers" if (1..=800).contains(&number) => {
                    arguments.settings.peers = usize::try_from(number).unwrap_or(1);
                }
                "--seconds" | "--peers" => return Err(format!("{option} cannot be {number}")),
                _ => return Err(format!("there is no option {option}")),
            }
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(line.split_whitespace().map(ToString::to_string))
    }

    #[test]
    fn options_are_read_in_any_order() {
        let arguments = read("--peers 16 --seeds 10 --trace --seconds 120 --from 7").unwrap();
        let settings = Settings { seconds: 120, peers: 16 };
        assert_eq!(arguments, Arguments { seeds: 10, from: 7, settings, trace: true });
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(read("--peers 0"), Err("--peers cannot be 0".into()));
        assert_eq!(read("--seeds"), Err("--seeds needs a value".into()));
        assert_eq!(read("--seeds many"), Err("--seeds needs a number, not many".into()));
        assert_eq!(read("--speed 1"), Err("there is no option --speed".into()));
    }
}
