//! Times in messages: those whom an error reaches may have no other way to write them.

use milepost_types::Timestamp;

/// A time in UTC, to the second.
pub(crate) fn time_text(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since the first of March of the year 0, in eras of 400 years: a leap day then ends a year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let day = day - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    // Years before the first have six digits and a sign.
    let year = if year < 0 { format!("{year:07}") } else { format!("{year:04}") };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same to the microsecond, for times that are compared.
pub(super) fn exact_text(at: Timestamp) -> String {
    let text = time_text(at);
    format!("{}.{:06}Z", text.trim_end_matches('Z'), at.0.rem_euclid(1_000_000))
}

#[cfg(test)]
mod tests;
