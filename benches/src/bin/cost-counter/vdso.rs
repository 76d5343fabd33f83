//! Finds the clock in the vDSO, the small library that the kernel maps into every process.
//!
//! Programs read the time by calling `__vdso_clock_gettime` there. Whoever knows its address can answer in
//! its place.

use std::{
    fs::{self, File},
    io::{Error, Result},
    os::unix::fs::FileExt,
};

use nix::unistd::Pid;

/// The symbol, with the zero that ends it.
const CLOCK: &[u8] = b"__vdso_clock_gettime\0";

const SECTION_STRINGS_LINK: usize = 0x28;
const SECTION_TYPE_SYMBOLS: u32 = 11;
const SYMBOL_SIZE: usize = 24;

/// Where `process` has the function that reads the clock; `None` where there is no vDSO.
pub(crate) fn clock_address(process: Pid) -> Result<Option<u64>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let Some(line) = maps.lines().find(|line| line.ends_with("[vdso]")) else {
        return Ok(None);
    };
    let range = line
        .split(' ')
        .next()
        .and_then(|range| range.split_once('-'));
    let (start, end) = range.ok_or_else(|| Error::other("a line of maps has no range"))?;
    let parse = |number| u64::from_str_radix(number, 16).map_err(Error::other);
    let (start, end) = (parse(start)?, parse(end)?);
    let mut image = vec![0; usize::try_from(end - start).map_err(Error::other)?];
    File::open(format!("/proc/{process}/mem"))?.read_exact_at(&mut image, start)?;
    Ok(Image(&image).symbol(CLOCK).map(|offset| start + offset))
}

/// A shared library of 64-bit ELF, as it lies in memory.
struct Image<'a>(&'a [u8]);

impl Image<'_> {
    /// The value of the dynamic symbol with this name.
    fn symbol(&self, name: &[u8]) -> Option<u64> {
        let sections = self.offset(0x28)?;
        let (size, count) = (self.u16(0x3a)?, self.u16(0x3c)?);
        let section = |index: usize| sections + index * usize::from(size);
        let is_symbols = |at: &usize| self.u32(at + 4) == Some(SECTION_TYPE_SYMBOLS);
        let symbols = (0..usize::from(count)).map(section).find(is_symbols)?;
        let strings = section(usize::try_from(self.u32(symbols + SECTION_STRINGS_LINK)?).ok()?);
        let names = self.offset(strings + 0x18)?;
        let (first, length) = (self.offset(symbols + 0x18)?, self.offset(symbols + 0x20)?);
        let has_name = |at: &usize| {
            let start = self.u32(*at).and_then(|start| usize::try_from(start).ok());
            start
                .and_then(|start| self.0.get(names + start..))
                .is_some_and(|s| s.starts_with(name))
        };
        let symbol = (first..first + length)
            .step_by(SYMBOL_SIZE)
            .find(has_name)?;
        self.u64(symbol + 8)
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N)?.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }

    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(self.u64(at)?).ok()
    }
}
