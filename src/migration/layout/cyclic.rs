//! CRC-32 as zip and Flyway have it (polynomial 0xEDB88320, reflected). Pure.
//!
//! Invariant: equal to `java.util.zip.CRC32` over the same bytes.

/// A checksum in the making.
pub struct Cyclic(u32);

impl Cyclic {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(u32::MAX)
    }

    /// Takes bytes in.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..8 {
                let low = self.0 & 1;
                self.0 = (self.0 >> 1) ^ (0xEDB8_8320 * low);
            }
        }
    }

    /// The checksum.
    pub fn value(&self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Cyclic;

    #[test]
    fn it_gives_the_published_check_values() {
        for (text, value) in [("", 0), ("123456789", 0xCBF4_3926_u32), ("a", 0xE8B7_BE43)] {
            let mut cyclic = Cyclic::new();
            cyclic.take(text.as_bytes());
            assert_eq!(cyclic.value(), value, "{text}");
        }
    }
}
