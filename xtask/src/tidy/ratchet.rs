//! Exceptions from the limits on length. A number here may fall and never rise: one that is higher than it must be is a
//! finding, too.

/// Files longer than [`super::lengths::FILE_LINES_MAX`]: path and lines.
pub(super) const FILES: &[(&str, usize)] = &[];

/// Functions longer than [`super::functions::FUNCTION_LINES_MAX`]: path, name and lines.
pub(super) const FUNCTIONS: &[(&str, &str, usize)] = &[];
