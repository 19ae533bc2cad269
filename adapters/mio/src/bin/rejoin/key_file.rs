//! Private keys in files: 64 hex digits that only their owner can read.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rejoin::Key;

use crate::failure::Failure;

/// No key file is longer; what is, is not read to its end.
const FILE_BYTES_MAX: u64 = 256;

/// Draws a new key from the operating system.
pub(crate) fn draw() -> Result<Key, Failure> {
    let mut bytes = [0; Key::BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::unsuccessful(format!("the system gives no random numbers: {error}")))?;
    Ok(Key::new(bytes))
}

/// The form a key has in a file, without the line end.
pub(crate) fn to_hex(key: &Key) -> String {
    key.as_bytes().iter().fold(String::with_capacity(2 * Key::BYTES), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes a key to a file that must not exist yet, with mode 0600.
pub(crate) fn write_new(path: &Path, key: &Key) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{}", to_hex(key))).map_err(|error| {
        let shown = path.display();
        Failure::bad_input(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{shown} exists already and is not overwritten: choose another name")
            }
            _ => format!("cannot write the key file {shown}: {error}"),
        })
    })
}

/// Reads a key from a file.
pub(crate) fn read(path: &Path) -> Result<Key, Failure> {
    let shown = path.display();
    let (text, mode) = read_text(path).map_err(|error| {
        Failure::bad_input(format!(
            "cannot read the key file {shown}: {error}; `rejoin keygen -o FILE` makes one"
        ))
    })?;
    let key = from_hex(text.trim_ascii()).map_err(|problem| {
        Failure::bad_input(format!(
            "the key file {shown} {problem}: it must hold 64 hex digits; `rejoin keygen -o FILE` makes one"
        ))
    })?;
    if mode & 0o077 != 0 {
        log::warn!("other users can read the key file {shown}: `chmod 600` keeps it private");
    }
    Ok(key)
}

/// The beginning of a file, and its mode.
fn read_text(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok((text, mode))
}

fn from_hex(text: &[u8]) -> Result<Key, String> {
    let digits = text.iter().map(|&byte| char::from(byte).to_digit(16)).collect::<Option<Vec<_>>>();
    let Some(digits) = digits else {
        return Err("holds something else than hex digits".to_owned());
    };
    if digits.len() != 2 * Key::BYTES {
        return Err(format!("holds {} digits", digits.len()));
    }
    let mut key = [0; Key::BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |high, &digit| high << 4 | u8::try_from(digit).unwrap_or(0));
    }
    Ok(Key::new(key))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A directory of its own for one test, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("rejoin-key-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn with(&self, content: &[u8]) -> PathBuf {
            let path = self.file("key");
            fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn message(result: Result<Key, Failure>) -> String {
        match result.unwrap_err() {
            Failure::BadInput(text) => text,
            Failure::Unsuccessful(text) => panic!("the wrong kind of failure: {text}"),
        }
    }

    #[test]
    fn a_key_survives_the_way_through_its_file() {
        let scratch = Scratch::new("round-trip");
        let key = Key::new(std::array::from_fn(|index| u8::try_from(index * 8 + 3).unwrap()));
        write_new(&scratch.file("key"), &key).unwrap();
        assert_eq!(read(&scratch.file("key")), Ok(key));
    }

    #[test]
    fn a_key_file_is_for_its_owner_alone() {
        let scratch = Scratch::new("mode");
        write_new(&scratch.file("key"), &Key::new([1; 32])).unwrap();
        let mode = fs::metadata(scratch.file("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let scratch = Scratch::new("overwrite");
        let path = scratch.file("key");
        write_new(&path, &Key::new([1; 32])).unwrap();
        assert!(
            message(write_new(&path, &Key::new([2; 32])).map(|()| Key::new([0; 32])))
                .contains("exists already")
        );
        assert_eq!(read(&path), Ok(Key::new([1; 32])));
    }

    #[test]
    fn upper_case_and_surrounding_white_space_are_accepted() {
        let scratch = Scratch::new("lenient");
        let path = scratch.with(format!("  {}\r\n", "AB".repeat(32)).as_bytes());
        assert_eq!(read(&path), Ok(Key::new([0xab; 32])));
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_in_words() {
        let scratch = Scratch::new("refused");
        for (content, problem) in [
            ("", "holds 0 digits"),
            ("abc", "holds 3 digits"),
            (&"a".repeat(63), "holds 63 digits"),
            (&"a".repeat(65), "holds 65 digits"),
            (&"g".repeat(64), "something else than hex digits"),
            (&"a".repeat(10_000), "holds 256 digits"),
        ] {
            let text = message(read(&scratch.with(content.as_bytes())));
            assert!(text.contains(problem) && text.contains("64 hex digits"), "{text}");
        }
        let text = message(read(&scratch.with(&[0xff; 64])));
        assert!(text.contains("something else than hex digits"), "{text}");
    }

    #[test]
    fn a_missing_file_is_named_with_the_way_to_make_one() {
        let text = message(read(Path::new("/nowhere/at/all.key")));
        assert!(text.contains("/nowhere/at/all.key") && text.contains("rejoin keygen"), "{text}");
    }
}
