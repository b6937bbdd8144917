//! The names in a place for backups. Each is made of numbers, and only the exact spelling is read.

use std::path::{Path, PathBuf};

use milepost_types::Seq;

pub(crate) const STORE: &str = "STORE";
pub(super) const STORE_NEXT: &str = "STORE.tmp";
pub(super) const BACKUPS: &str = "backups";
pub(super) const PIECES: &str = "pieces";

/// What identifies a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PieceId {
    pub(super) first: Seq,
    pub(super) last: Seq,
    /// BLAKE3 of its file.
    pub(super) hash: [u8; 32],
}

impl PieceId {
    pub(super) fn path(&self, place: &Path) -> PathBuf {
        place.join(PIECES).join(self.name())
    }

    fn name(&self) -> String {
        let hash: String = self.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:010}-{:010}-{hash}.piece", self.first.0, self.last.0)
    }

    fn parse(name: &str) -> Option<PieceId> {
        let mut parts = name.strip_suffix(".piece")?.splitn(3, '-');
        let (first, last) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let text = parts.next()?;
        let mut hash = [0; 32];
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        let id = PieceId { first: Seq(first), last: Seq(last), hash };
        (id.name() == name).then_some(id)
    }
}

/// What a name below `pieces/` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceName {
    Piece(PieceId),
    /// One that never got its name.
    Unfinished,
    Stray,
}

pub(super) fn piece(name: &str) -> PieceName {
    if let Some(id) = PieceId::parse(name) {
        return PieceName::Piece(id);
    }
    let number = name.strip_prefix("new-").and_then(|rest| rest.strip_suffix(".tmp"));
    if number.is_some_and(is_number) { PieceName::Unfinished } else { PieceName::Stray }
}

pub(super) fn new_piece(place: &Path, first: Seq) -> PathBuf {
    place.join(PIECES).join(format!("new-{:010}.tmp", first.0))
}

pub(super) fn backup_path(place: &Path, number: u64) -> PathBuf {
    place.join(BACKUPS).join(format!("{number:010}.backup"))
}

/// What a name below `backups/` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackupName {
    Backup(u64),
    Unfinished,
    Stray,
}

pub(super) fn backup(name: &str) -> BackupName {
    let number = |name: &str| -> Option<u64> {
        let number: u64 = name.strip_suffix(".backup").filter(|text| is_number(text))?.parse().ok()?;
        (number > 0 && format!("{number:010}.backup") == name).then_some(number)
    };
    if let Some(number) = number(name) {
        return BackupName::Backup(number);
    }
    match name.strip_suffix(".tmp").and_then(number) {
        Some(_) => BackupName::Unfinished,
        None => BackupName::Stray,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_read() {
        let id = PieceId { first: Seq(1), last: Seq(20_000_000_000), hash: [0xab; 32] };
        assert_eq!(piece(&id.name()), PieceName::Piece(id));
        assert_eq!(piece("new-0000000001.tmp"), PieceName::Unfinished);
        for stray in [
            id.name().to_uppercase(),
            id.name().replace("0000000001-", "1-"),
            format!("../{}", id.name()),
            format!("{}x", id.name()),
            "new-.tmp".into(),
            "new-../x.tmp".into(),
            "+000000001-0000000002-".to_owned() + &"ab".repeat(32) + ".piece",
            String::new(),
        ] {
            assert_eq!(piece(&stray), PieceName::Stray, "{stray}");
        }
        assert_eq!(backup("0000000042.backup"), BackupName::Backup(42));
        assert_eq!(backup("0000000042.backup.tmp"), BackupName::Unfinished);
        for stray in ["42.backup", "0000000000.backup", "+000000042.backup", "0000000042.backup2", "x", "..", ""] {
            assert_eq!(backup(stray), BackupName::Stray, "{stray}");
        }
    }
}
