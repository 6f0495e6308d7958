//! Functions of IP address blocks (CIDR). Pure.
//!
//! Invariant: a result lies within the block it was made from.

use std::net::{Ipv4Addr, Ipv6Addr};

use bigdecimal::ToPrimitive as _;

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, row};
use crate::value::Value;

const PREFIX: Parameter = parameter("prefix", Kind::Text);

pub(super) static ROWS: &[Function] = &[
    row("cidrhost", &[PREFIX, parameter("host", Kind::Number)], Kind::Text, host),
    row("cidrnetmask", &[PREFIX], Kind::Text, |a| {
        let block = Block::parse(a)?;
        match block.width {
            32 => Ok(block.text(block.mask(block.length)).into()),
            _ => Err(FunctionError::at(0, "IPv6 has no net masks")),
        }
    }),
    row(
        "cidrsubnet",
        &[PREFIX, parameter("newbits", Kind::Number), parameter("netnum", Kind::Number)],
        Kind::Text,
        subnet,
    ),
    row("cidrsubnets", &[PREFIX], Kind::Texts, subnets).variadic(parameter("newbits", Kind::Number)),
];

/// A block; addresses are numbers of `width` bits.
#[derive(Clone, Copy)]
struct Block {
    network: u128,
    length: u32,
    width: u32,
}

impl Block {
    fn parse(arguments: &Arguments<'_>) -> Result<Self, FunctionError> {
        let refuse =
            || FunctionError::at(0, "this is not an address block; one looks like `10.0.0.0/16` or `fd00::/56`");
        let (address, length) = arguments.text(0).split_once('/').ok_or_else(refuse)?;
        let (bits, width) = match address.parse::<Ipv6Addr>() {
            Ok(address) => (u128::from(address), 128),
            Err(_) => (u128::from(u32::from(parse_v4(address).ok_or_else(refuse)?)), 32),
        };
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse::<u32>().ok().filter(|length| digits && *length <= width).ok_or_else(refuse)?;
        let block = Self { network: 0, length, width };
        Ok(Self { network: bits & block.mask(length), ..block })
    }

    fn mask(&self, length: u32) -> u128 {
        let ones = if self.width == 128 { u128::MAX } else { (1 << self.width) - 1 };
        let host_bits = self.width - length;
        if host_bits == 128 { 0 } else { ones >> host_bits << host_bits }
    }

    /// How many addresses, less one.
    fn last(&self) -> u128 {
        let host_bits = self.width - self.length;
        if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 }
    }

    fn text(&self, address: u128) -> String {
        match u32::try_from(address) {
            Ok(address) if self.width == 32 => Ipv4Addr::from(address).to_string(),
            _ => Ipv6Addr::from(address).to_string(),
        }
    }

    fn part(&self, newbits: u32, number: u128) -> Option<Self> {
        let length = self.length.checked_add(newbits).filter(|length| *length <= self.width)?;
        let fits = newbits == 128 || number >> newbits == 0;
        let shift = self.width - length;
        let offset = if shift == 128 { 0 } else { number << shift };
        fits.then_some(Self { network: self.network | offset, length, width: self.width })
    }
}

/// Like Terraform, reads `010` as ten.
fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u8> =
        text.split('.')
            .map(|part| {
                if part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None }
            })
            .collect::<Option<_>>()?;
    <[u8; 4]>::try_from(parts).ok().map(Ipv4Addr::from)
}

fn host(arguments: &Arguments<'_>) -> Outcome {
    let block = Block::parse(arguments)?;
    let wanted = arguments.number(1).to_integer().ok_or_else(|| FunctionError::at(1, "a whole number is needed"))?;
    let number = match wanted.to_i128() {
        Some(negative) if negative < 0 => block.last().checked_sub(negative.unsigned_abs() - 1),
        _ => wanted.to_u128().filter(|number| *number <= block.last()),
    };
    let number = number.ok_or_else(|| FunctionError::at(1, "the block has no such host"))?;
    Ok(block.text(block.network | number).into())
}

fn bits(arguments: &Arguments<'_>, index: usize) -> Result<u32, FunctionError> {
    u32::try_from(arguments.integer(index)?).map_err(|_| FunctionError::at(index, "it cannot be negative"))
}

fn subnet(arguments: &Arguments<'_>) -> Outcome {
    let block = Block::parse(arguments)?;
    let newbits = bits(arguments, 1)?;
    let number = arguments.number(2).to_integer().and_then(|number| number.to_u128());
    let number = number.ok_or_else(|| FunctionError::at(2, "a whole number from zero on is needed"))?;
    if block.length.saturating_add(newbits) > block.width {
        return Err(FunctionError::at(1, format!("a /{} has no room for {newbits} more bits", block.length)));
    }
    let part = block.part(newbits, number);
    let part = part.ok_or_else(|| FunctionError::at(2, format!("{newbits} bits do not hold this number")))?;
    Ok(format!("{}/{}", part.text(part.network), part.length).into())
}

fn subnets(arguments: &Arguments<'_>) -> Outcome {
    let block = Block::parse(arguments)?;
    let mut texts = Vec::new();
    // The first address that is free yet, counted from the block's own; none when it is full.
    let mut free = Some(0_u128);
    for index in 1..arguments.all().len() {
        let newbits = bits(arguments, index)?;
        let part = block.part(newbits, 0).filter(|_| newbits > 0);
        let part = part
            .ok_or_else(|| FunctionError::at(index, "each needs at least one bit more, and not more than there are"))?;
        let full = || FunctionError::at(index, "there is no room left in the block");
        let start = free.ok_or_else(full)?.checked_next_multiple_of(part.last() + 1).ok_or_else(full)?;
        if start.checked_add(part.last()).is_none_or(|end| end > block.last()) {
            return Err(full());
        }
        texts.push(format!("{}/{}", part.text(block.network | start), part.length));
        free = start.checked_add(part.last()).and_then(|end| end.checked_add(1));
    }
    Ok(Value::strings(texts))
}
