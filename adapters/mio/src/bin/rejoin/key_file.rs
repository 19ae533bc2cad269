//! Making private keys and their files, and what is said where one cannot be read.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rejoin::Key;
use rejoin_mio::read_key_file;

use crate::failure::Failure;

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
    read_key_file(path)
        .map_err(|error| Failure::bad_input(format!("{error}; `rejoin keygen -o FILE` makes one")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
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
    fn a_missing_file_is_named_with_the_way_to_make_one() {
        let text = message(read(Path::new("/nowhere/at/all.key")));
        assert!(text.contains("/nowhere/at/all.key") && text.contains("rejoin keygen"), "{text}");
    }
}
