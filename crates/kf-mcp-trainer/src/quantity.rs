//! Kubernetes quantities, exact: `500m`, `16Gi`, `2e3`, `1.5`.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// A quantity in thousand-millionths, which is as fine as Kubernetes counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

const ONE: i128 = 1_000_000_000;

impl Quantity {
    /// The whole number below: what a count of devices is.
    pub(crate) fn whole(self) -> i64 {
        i64::try_from(self.0.div_euclid(ONE)).unwrap_or(i64::MAX)
    }

    /// So many whole ones.
    pub(crate) fn of(count: u32) -> Self {
        Self(i128::from(count) * ONE)
    }

    /// So many times as much.
    pub(crate) fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// How often another quantity, which is more than none, goes into it.
    pub(crate) fn holds(self, other: Self) -> u32 {
        let times = self.0.max(0).checked_div(other.0).unwrap_or_default();
        u32::try_from(times).unwrap_or(u32::MAX)
    }

    /// The quantity, but not less than none.
    pub(crate) fn or_none(self) -> Self {
        self.max(Self(0))
    }

    /// As memory is written: the largest binary unit that it is a whole number of.
    pub(crate) fn binary(self) -> String {
        let mut value = self.0.div_euclid(ONE);
        let mut unit = 0;
        while value != 0 && value % 1024 == 0 && unit < BINARY.len() {
            value /= 1024;
            unit += 1;
        }
        format!("{value}{}", if unit == 0 { "" } else { BINARY[unit - 1] })
    }

    /// As people read what is used of memory: in Mi below a Gi.
    pub(crate) fn memory(self) -> String {
        match self.0.div_euclid(ONE) {
            bytes if bytes < 1 << 30 => format!("{}Mi", bytes.max(0) >> 20),
            _ => self.gibibytes(),
        }
    }

    /// As people read memory: `125.5Gi`, rounded down.
    pub(crate) fn gibibytes(self) -> String {
        let tenths = self.0.div_euclid(ONE) * 10 / (1 << 30);
        match tenths % 10 {
            0 => format!("{}Gi", tenths / 10),
            tenth => format!("{}.{tenth}Gi", tenths / 10),
        }
    }
}

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// As CPUs are written: `12`, or `11500m`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % ONE == 0 {
            write!(f, "{}", self.0 / ONE)
        } else {
            write!(f, "{}m", self.0.div_euclid(ONE / 1000))
        }
    }
}

impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Add::add)
    }
}

/// The text is no quantity, or one beyond what Kubernetes allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoQuantity;

impl FromStr for Quantity {
    type Err = NoQuantity;

    fn from_str(text: &str) -> Result<Self, NoQuantity> {
        let text = text.trim();
        let number = text.trim_start_matches(['+', '-']);
        let end = number
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(number.len());
        let (digits, suffix) = number.split_at(end);
        let negative = text.starts_with('-');
        if text.len() - number.len() > 1 {
            return Err(NoQuantity);
        }
        let (factor, divisor) = factor(suffix).ok_or(NoQuantity)?;
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && part.is_empty() || part.contains('.') || part.len() > 27 {
            return Err(NoQuantity);
        }
        let mantissa: i128 = format!("{whole}{part}").parse().map_err(|_| NoQuantity)?;
        let scale = 10_i128.pow(part.len() as u32).checked_mul(divisor).ok_or(NoQuantity)?;
        let value = mantissa.checked_mul(factor).ok_or(NoQuantity)?;
        // Kubernetes rounds what is finer than it counts away from zero.
        let value = value / scale + i128::from(value % scale != 0);
        Ok(Self(if negative { -value } else { value }))
    }
}

/// What a suffix multiplies by, in thousand-millionths, as a fraction.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    if let Some(at) = BINARY.iter().position(|unit| *unit == suffix) {
        return Some((ONE << (10 * (at + 1)), 1));
    }
    let power: i32 = match suffix {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => suffix
            .strip_prefix(['e', 'E'])?
            .parse()
            .ok()
            .filter(|power| (-18..=18).contains(power))?,
    };
    let power = power + 9;
    let ten = 10_i128.pow(power.unsigned_abs());
    Some(if power >= 0 { (ten, 1) } else { (1, ten) })
}

/// Objects hold quantities as strings, sometimes as numbers; one that makes no sense counts as none.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parsed = match serde_json::Value::deserialize(from)? {
            serde_json::Value::String(text) => text.parse(),
            serde_json::Value::Number(number) => number.to_string().parse(),
            _ => Err(NoQuantity),
        };
        Ok(parsed.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn quantities_are_read_exactly() {
        for (text, nano) in [
            ("0", 0),
            ("8", 8 * ONE),
            ("500m", ONE / 2),
            ("1.5", ONE * 3 / 2),
            (".5", ONE / 2),
            ("-2", -2 * ONE),
            ("+2", 2 * ONE),
            ("100n", 100),
            ("3u", 3000),
            ("2k", 2000 * ONE),
            ("1M", 1_000_000 * ONE),
            ("1G", 1_000_000_000 * ONE),
            ("2e3", 2000 * ONE),
            ("2E3", 2000 * ONE),
            ("5e-1", ONE / 2),
            ("1E", ONE * 10_i128.pow(18)),
            ("1Ki", 1024 * ONE),
            ("1.5Gi", 1_610_612_736 * ONE),
            ("64Gi", ONE << 36),
            ("2Ti", ONE << 41),
            ("65842344Ki", 65_842_344 * 1024 * ONE),
            ("0.1n", 1),
            ("1e-12", 1),
        ] {
            assert_eq!(quantity(text), Quantity(nano), "{text}");
        }
        for bad in [
            "",
            ".",
            "x",
            "1x",
            "1ki",
            "1.2.3",
            "--1",
            "1e",
            "1e99",
            "1 Gi",
            &"9".repeat(40),
        ] {
            assert_eq!(bad.parse::<Quantity>(), Err(NoQuantity), "{bad}");
        }
    }

    #[test]
    fn quantities_are_written_as_kubernetes_does() {
        for (text, cpu) in [
            ("12", "12"),
            ("11500m", "11500m"),
            ("1.25", "1250m"),
            ("2k", "2000"),
            ("100n", "0m"),
        ] {
            assert_eq!(quantity(text).to_string(), cpu);
        }
        for (text, memory, shown) in [
            ("64Gi", "64Gi", "64Gi"),
            ("65842344Ki", "65842344Ki", "62.7Gi"),
            ("1536Mi", "1536Mi", "1.5Gi"),
            ("1000", "1000", "0Gi"),
            ("0", "0", "0Gi"),
        ] {
            assert_eq!(
                (quantity(text).binary().as_str(), quantity(text).gibibytes().as_str()),
                (memory, shown)
            );
        }
        assert_eq!(
            (quantity("524288Ki").memory(), quantity("1536Mi").memory()),
            ("512Mi".into(), "1.5Gi".into())
        );
        assert_eq!((quantity("2500m").whole(), quantity("-1").or_none().whole()), (2, 0));
    }

    #[test]
    fn objects_hold_quantities_as_strings_or_numbers() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json).unwrap();
        assert_eq!(read("\"2\""), read("2"));
        assert_eq!(read("1.5"), quantity("1500m"));
        assert_eq!(read("null"), Quantity::default());
        assert_eq!(read("\"many\""), Quantity::default());
    }
}
