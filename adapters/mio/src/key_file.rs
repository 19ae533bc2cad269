//! Private keys in files: 64 hex digits that only their owner can read.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rejoin::Key;

/// No key file is longer; what is, is not read to its end.
const FILE_BYTES_MAX: u64 = 256;

const DIGITS: usize = 2 * Key::BYTES;

/// Reads a private key from a file as `rejoin keygen -o FILE` writes it: 64 hex digits of either case, white space around them.
///
/// A file that other users can read is a warning in the log and no error.
pub fn read_key_file(path: impl AsRef<Path>) -> Result<Key, KeyFileError> {
    let path = path.as_ref();
    let (text, mode) =
        read_text(path).map_err(|source| KeyFileError::Unreadable { path: path.to_owned(), source })?;
    let key = from_hex(text.trim_ascii(), path)?;
    if mode & 0o077 != 0 {
        log::warn!("other users can read the key file {}: `chmod 600` keeps it private", path.display());
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

fn from_hex(text: &[u8], path: &Path) -> Result<Key, KeyFileError> {
    let digits = text.iter().map(|&byte| char::from(byte).to_digit(16)).collect::<Option<Vec<_>>>();
    let Some(digits) = digits else {
        return Err(KeyFileError::NotHex { path: path.to_owned() });
    };
    if digits.len() != DIGITS {
        return Err(KeyFileError::WrongLength { path: path.to_owned(), digits: digits.len() });
    }
    let mut key = [0; Key::BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |high, &digit| high << 4 | u8::try_from(digit).unwrap_or(0));
    }
    Ok(Key::new(key))
}

/// Why a file gives no key.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The operating system does not let it be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It holds something else than hex digits.
    NotHex {
        /// The file.
        path: PathBuf,
    },
    /// It holds too few or too many of them.
    WrongLength {
        /// The file.
        path: PathBuf,
        /// How many there are, counted to 256.
        digits: usize,
    },
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let must_hold = format_args!("it must hold {DIGITS} hex digits");
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "cannot read the key file {}: {source}", path.display())
            }
            Self::NotHex { path } => {
                write!(f, "the key file {} holds something else than hex digits: {must_hold}", path.display())
            }
            Self::WrongLength { path, digits } => {
                write!(f, "the key file {} holds {digits} digits: {must_hold}", path.display())
            }
        }
    }
}

impl Error for KeyFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::NotHex { .. } | Self::WrongLength { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What a file of this name for one test alone gives when it holds this.
    fn read_back(name: &str, content: &[u8]) -> Result<Key, KeyFileError> {
        let path = std::env::temp_dir().join(format!("rejoin-key-file-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        let key = read_key_file(&path);
        fs::remove_file(&path).unwrap();
        key
    }

    #[test]
    fn upper_case_and_surrounding_white_space_are_accepted() {
        let text = format!("  {}\r\n", "AB".repeat(32));
        assert_eq!(read_back("lenient", text.as_bytes()).unwrap(), Key::new([0xab; 32]));
    }

    #[test]
    fn the_first_digit_is_the_upper_half_of_the_first_byte() {
        let mut expected = [0; 32];
        (expected[0], expected[31]) = (0x1f, 0xe2);
        let text = format!("1f{}e2\n", "00".repeat(30));
        assert_eq!(read_back("order", text.as_bytes()).unwrap(), Key::new(expected));
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_in_words() {
        for (content, problem) in [
            ("", "holds 0 digits"),
            ("abc", "holds 3 digits"),
            (&"a".repeat(63), "holds 63 digits"),
            (&"a".repeat(65), "holds 65 digits"),
            (&"g".repeat(64), "something else than hex digits"),
            (&"a".repeat(10_000), "holds 256 digits"),
        ] {
            let text = read_back("refused", content.as_bytes()).unwrap_err().to_string();
            assert!(text.contains(problem) && text.contains("64 hex digits"), "{text}");
        }
        assert!(matches!(read_back("binary", &[0xff; 64]), Err(KeyFileError::NotHex { .. })));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_key_file("/nowhere/at/all.key").unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all.key"), "{error}");
    }
}
