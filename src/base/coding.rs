//! Encoded bodies: one coding of RFC 9110 (8.4.1) or RFC 8878 at a time, decoded piece by piece up to a cap, so that a small body that
//! grows without end costs no more than a large one.

use std::io::{self, Cursor, Read};

use bytes::{Buf as _, Bytes};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What is taken, as the header `Accept-Encoding` of a 415 says it (RFC 7694).
pub const TAKEN: &str = "gzip, deflate, zstd";

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

/// Why a body is not what it was before it was encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// No coding that is taken, or several of them; with the sentence.
    Unknown(String),
    /// Decoded, it is larger than the cap.
    TooLarge,
    Broken(Coding),
}

impl Coding {
    /// What the values of `Content-Encoding` say; `None`: the body is as it is.
    ///
    /// # Errors
    /// [`Undecoded::Unknown`].
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, Undecoded> {
        let values: Vec<String> = values.map(|value| String::from_utf8_lossy(value).to_ascii_lowercase()).collect();
        let named = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let named: Vec<&str> = named.filter(|name| !name.is_empty() && *name != "identity").collect();
        match named.as_slice() {
            [] => Ok(None),
            ["gzip" | "x-gzip"] => Ok(Some(Self::Gzip)),
            ["deflate"] => Ok(Some(Self::Deflate)),
            ["zstd"] => Ok(Some(Self::Zstd)),
            [other] => {
                let other: String = other.chars().filter(char::is_ascii_graphic).take(NAME_CHARS).collect();
                Err(Undecoded::Unknown(format!("it is encoded as {other}, and what is taken is {TAKEN}")))
            }
            several => {
                Err(Undecoded::Unknown(format!("it is encoded {} times over, and what is taken is one of {TAKEN}, once", several.len())))
            }
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

/// Of a coding's name that a sender made up, as much is repeated.
const NAME_CHARS: usize = 20;

/// The window that a decoder of `zstd` must be able to hold, bytes, and the most that an encoder may ask for (RFC 9659).
const ZSTD_WINDOW: u64 = 8 << 20;

/// A body on its way to what it was.
pub struct Decoding {
    coding: Coding,
    decoder: Decoder,
    out: Vec<u8>,
    cap: usize,
}

enum Decoder {
    Stream(Box<dyn Read + Send>),
    Zstd(Box<Frames>),
}

impl Decoding {
    /// At most `cap` bytes are made of what was sent.
    #[must_use]
    pub fn new(coding: Coding, sent: Bytes, cap: usize) -> Self {
        let decoder = match coding {
            Coding::Gzip => Decoder::Stream(Box::new(MultiGzDecoder::new(Cursor::new(sent)))),
            // What the name stands for has a header of its own; some senders leave it out.
            Coding::Deflate if has_zlib_header(&sent) => Decoder::Stream(Box::new(ZlibDecoder::new(Cursor::new(sent)))),
            Coding::Deflate => Decoder::Stream(Box::new(DeflateDecoder::new(Cursor::new(sent)))),
            Coding::Zstd => Decoder::Zstd(Box::new(Frames::new(sent, cap))),
        };
        Self { coding, decoder, out: Vec::new(), cap }
    }

    /// Decodes until there is at least so much, and says whether that is the whole body.
    ///
    /// # Errors
    /// [`Undecoded::TooLarge`] and [`Undecoded::Broken`].
    pub fn advance(&mut self, bytes: usize) -> Result<bool, Undecoded> {
        while self.out.len() < bytes {
            let is_over = match &mut self.decoder {
                Decoder::Stream(stream) => {
                    let mut piece = Vec::new();
                    // A byte more than may be, which tells what is too large from what just fits.
                    let room = (self.cap + 1).saturating_sub(self.out.len()).min(PIECE_BYTES);
                    let read = stream.take(room as u64).read_to_end(&mut piece).map_err(|_| Undecoded::Broken(self.coding))?;
                    self.out.extend_from_slice(&piece);
                    read < room
                }
                Decoder::Zstd(frames) => frames.decode(&mut self.out)?,
            };
            if self.out.len() > self.cap {
                return Err(Undecoded::TooLarge);
            }
            if is_over {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What was decoded.
    #[must_use]
    pub fn into_body(self) -> Bytes {
        Bytes::from(self.out)
    }
}

const PIECE_BYTES: usize = 64 << 10;

/// RFC 1950: the method is deflate, and both bytes are a multiple of 31.
fn has_zlib_header(sent: &[u8]) -> bool {
    matches!(sent, [first, second, ..] if first & 15 == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

/// The frames of a zstd body, one after the other.
struct Frames {
    sent: Bytes,
    decoder: FrameDecoder,
    is_open: bool,
}

impl Frames {
    fn new(sent: Bytes, cap: usize) -> Self {
        let mut decoder = FrameDecoder::new();
        // A frame of one segment has as large a window as it is itself; one that is larger than the cap is refused by its header.
        decoder.set_max_window_size(ZSTD_WINDOW.max(cap as u64));
        Self { sent, decoder, is_open: false }
    }

    /// One block more, and whether it was the last.
    fn decode(&mut self, out: &mut Vec<u8>) -> Result<bool, Undecoded> {
        let broken = Undecoded::Broken(Coding::Zstd);
        if !self.is_open {
            if self.sent.is_empty() {
                return Ok(true);
            }
            match self.decoder.init((&mut self.sent).reader()) {
                Ok(()) => self.is_open = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    if length > self.sent.len() {
                        return Err(broken);
                    }
                    self.sent.advance(length);
                    return Ok(false);
                }
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(Undecoded::TooLarge),
                Err(_) => return Err(broken),
            }
        }
        let decoded = self.decoder.decode_blocks((&mut self.sent).reader(), BlockDecodingStrategy::UptoBlocks(1));
        decoded.map_err(|_| broken.clone())?;
        self.decoder.collect_to_writer(&mut *out).map_err(|_: io::Error| broken.clone())?;
        if self.decoder.is_finished() {
            self.is_open = false;
            // The decoder reads the checksum and leaves it to us to compare.
            let sum = self.decoder.get_checksum_from_data();
            if sum.is_some() && sum != self.decoder.get_calculated_checksum() {
                return Err(broken);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes it")
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes it")
    }

    fn raw(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes it")
    }

    fn zstd(body: &[u8]) -> Vec<u8> {
        compress_to_vec(body, CompressionLevel::Fastest)
    }

    fn encodings(body: &[u8]) -> [(Coding, Vec<u8>); 4] {
        [(Coding::Gzip, gzip(body)), (Coding::Deflate, zlib(body)), (Coding::Deflate, raw(body)), (Coding::Zstd, zstd(body))]
    }

    fn decode(coding: Coding, sent: &[u8], cap: usize) -> Result<Bytes, Undecoded> {
        let mut decoding = Decoding::new(coding, Bytes::copy_from_slice(sent), cap);
        // In two steps, as a large one is.
        let is_over = decoding.advance(1_000)?;
        assert!(is_over || decoding.advance(usize::MAX)?, "all is more than everything");
        Ok(decoding.into_body())
    }

    #[test]
    fn what_was_encoded_is_what_it_was() {
        let long: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for body in [&b""[..], b"{}", &long] {
            for (coding, sent) in encodings(body) {
                assert_eq!(decode(coding, &sent, body.len()).as_deref(), Ok(body), "{coding:?} of {} bytes", body.len());
                let twice = [sent.clone(), sent.clone()].concat();
                match coding {
                    Coding::Gzip | Coding::Zstd => {
                        assert_eq!(
                            decode(coding, &twice, 2 * body.len()).map(|all| all.len()),
                            Ok(2 * body.len()),
                            "two parts are one body"
                        );
                    }
                    Coding::Deflate => {}
                }
            }
        }
    }

    #[test]
    fn a_byte_over_the_cap_is_too_large_however_small_it_was_sent() {
        let body = vec![b' '; 4 << 20];
        for (coding, sent) in encodings(&body) {
            assert!(sent.len() < body.len() / 100, "{coding:?} {}", sent.len());
            assert_eq!(decode(coding, &sent, body.len() - 1), Err(Undecoded::TooLarge), "{coding:?}");
            assert_eq!(decode(coding, &sent, 1_000), Err(Undecoded::TooLarge), "{coding:?}");
        }
    }

    /// What is decoded stays within the cap and a piece, so that a bomb is no larger in memory than a body that is.
    #[test]
    fn a_bomb_ends_at_the_cap() {
        for (coding, sent) in encodings(&vec![0; 64 << 20]) {
            let mut decoding = Decoding::new(coding, Bytes::from(sent), 1 << 20);
            assert_eq!(decoding.advance(usize::MAX), Err(Undecoded::TooLarge), "{coding:?}");
            // A block of zstd is 128 KiB at most, and of its window as much is kept as the cap allows.
            assert!(decoding.out.len() <= (1 << 20) + (256 << 10) + 8 * (1 << 20), "{coding:?} {}", decoding.out.len());
        }
    }

    #[test]
    fn what_broke_on_its_way_says_so() {
        let body = b"a body that is long enough to be cut in the middle, and cut it is".repeat(20);
        for (coding, sent) in encodings(&body) {
            let cut = &sent[..sent.len() - 5];
            let is_raw = coding == Coding::Deflate && !has_zlib_header(&sent);
            assert_eq!(decode(coding, cut, 1 << 20), Err(Undecoded::Broken(coding)), "{coding:?} raw: {is_raw}");
            assert_eq!(decode(coding, b"{\"title\":\"no such thing\"}", 1 << 20), Err(Undecoded::Broken(coding)), "{coding:?}");
        }
        for (coding, mut sent) in [(Coding::Gzip, gzip(&body)), (Coding::Deflate, zlib(&body)), (Coding::Zstd, zstd(&body))] {
            // The checksum stands at the end, and in gzip the length after it.
            let at = sent.len() - if coding == Coding::Gzip { 8 } else { 1 };
            sent[at] ^= 1;
            assert_eq!(decode(coding, &sent, 1 << 20), Err(Undecoded::Broken(coding)), "{coding:?}");
        }
        assert_eq!(decode(Coding::Zstd, &[0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0x7f], 1 << 20), Err(Undecoded::Broken(Coding::Zstd)));
    }

    #[test]
    fn a_header_names_one_coding_that_is_taken() {
        let of = |values: &[&str]| Coding::of(values.iter().map(|value| value.as_bytes()));
        for (values, coding) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["GZip"], Some(Coding::Gzip)),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["identity, deflate"], Some(Coding::Deflate)),
            (&["identity", " zstd "], Some(Coding::Zstd)),
        ] {
            assert_eq!(of(values), Ok(coding), "{values:?}");
        }
        for (values, says) in [
            (&["br"][..], "encoded as br, and what is taken is gzip, deflate, zstd"),
            (&["gzip, gzip"], "encoded 2 times over"),
            (&["gzip", "zstd", "br"], "encoded 3 times over"),
            (&["\u{1b}[2Ja very long name of a coding"], "encoded as [2javerylongnameofac, and"),
        ] {
            let Err(Undecoded::Unknown(why)) = of(values) else { panic!("{values:?} is taken") };
            assert!(why.contains(says), "{why}");
        }
    }
}
