//! Finds where in a file its mutants stand.
//!
//! Invariant: what it finds nests: of two edits one is within the other, or they don't touch.
//!
//! Knows nothing of how an edit is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use syn::{
    Arm, Block, Expr, ExprBinary, ExprStruct, ExprUnary, Member,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::list::{Genre, Lines, Mutant};

/// A part of a file that is written anew, with its mutants beside what was there.
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// Answers, before what a function does; the range is empty.
    Body(Vec<(u32, String)>),
    Binary {
        left: Range<usize>,
        operator: Range<usize>,
        right: Range<usize>,
        others: Vec<(u32, String)>,
    },
    /// An operator that is left out.
    Unary {
        id: u32,
        operator: Range<usize>,
        operand: Range<usize>,
    },
    /// The condition of an arm.
    Guard {
        always: Vec<u32>,
        never: Vec<u32>,
    },
    /// An arm without a condition; the range is empty.
    Arm(u32),
    /// A field, and what the base of its struct has for it.
    Field {
        id: u32,
        base: String,
    },
}

/// The edits of a file from its front on, an outer one before those in it; and the mutants that they hold.
pub(super) fn edits(text: &str, mutants: &[&Mutant]) -> Result<(Vec<Edit>, BTreeSet<u32>), String> {
    let file = syn::parse_file(text).map_err(|error| error.to_string())?;
    let lines = Lines::new(text);
    let mut wanted: BTreeMap<usize, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        wanted.entry(lines.byte(mutant.from.0, mutant.from.1 - 1)).or_default().push(mutant);
    }
    let mut finder = Finder { text, lines, wanted, edits: Vec::new(), placed: BTreeSet::new() };
    finder.visit_file(&file);
    finder.edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
    Ok((finder.edits, finder.placed))
}

struct Finder<'a> {
    text: &'a str,
    lines: Lines<'a>,
    wanted: BTreeMap<usize, Vec<&'a Mutant>>,
    edits: Vec<Edit>,
    placed: BTreeSet<u32>,
}

impl Finder<'_> {
    /// The mutants of a genre that begin at `at`.
    fn take(&mut self, at: usize, genre: Genre) -> Vec<(u32, String)> {
        let here = self.wanted.get(&at).map_or(&[][..], Vec::as_slice);
        let found: Vec<_> =
            here.iter().filter(|mutant| mutant.genre == genre).map(|m| (m.id, m.replacement.clone())).collect();
        self.placed.extend(found.iter().map(|(id, _)| *id));
        found
    }

    fn note(&mut self, range: Range<usize>, kind: Kind) {
        self.edits.push(Edit { range, kind });
    }
}

impl Visit<'_> for Finder<'_> {
    fn visit_block(&mut self, block: &Block) {
        if let Some(first) = block.stmts.first() {
            let answers = self.take(self.lines.bytes(first.span()).start, Genre::Body);
            if !answers.is_empty() {
                let at = self.lines.bytes(block.brace_token.span.open()).end;
                self.note(at..at, Kind::Body(answers));
            }
        }
        visit::visit_block(self, block);
    }

    fn visit_expr_binary(&mut self, binary: &ExprBinary) {
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let operator = self.lines.bytes(binary.op.span());
            let others = self.take(operator.start, Genre::Binary);
            if !others.is_empty() {
                let (left, right) = (self.lines.bytes(binary.left.span()), self.lines.bytes(binary.right.span()));
                self.note(left.start..right.end, Kind::Binary { left, operator, right, others });
            }
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &ExprUnary) {
        let operator = self.lines.bytes(unary.op.span());
        if let Some((id, _)) = self.take(operator.start, Genre::Unary).pop() {
            let operand = self.lines.bytes(unary.expr.span());
            self.note(operator.start..operand.end, Kind::Unary { id, operator, operand });
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_arm(&mut self, arm: &Arm) {
        let pattern = self.lines.bytes(arm.pat.span());
        let gone = self.take(pattern.start, Genre::Arm);
        match &arm.guard {
            Some((_, guard)) if !has_let(guard) => {
                let range = self.lines.bytes(guard.span());
                let (always, mut never): (Vec<_>, Vec<_>) =
                    self.take(range.start, Genre::Guard).into_iter().partition(|(_, condition)| condition == "true");
                never.extend(gone);
                if !always.is_empty() || !never.is_empty() {
                    let ids = |mutants: Vec<(u32, String)>| mutants.into_iter().map(|(id, _)| id).collect();
                    self.note(range, Kind::Guard { always: ids(always), never: ids(never) });
                }
            }
            Some(_) => {}
            None => {
                for (id, _) in gone {
                    self.note(pattern.end..pattern.end, Kind::Arm(id));
                }
            }
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, whole: &ExprStruct) {
        if let Some(base) = &whole.rest {
            let (path, base) = (self.lines.bytes(whole.path.span()), self.lines.bytes(base.span()));
            for field in whole.fields.iter().filter(|field| field.colon_token.is_some()) {
                let Member::Named(name) = &field.member else { continue };
                let begins = self.lines.bytes(field.span()).start;
                if let Some((id, _)) = self.take(begins, Genre::Field).pop() {
                    let base = format!("({} {{ ..{} }}).{name}", &self.text[path.clone()], &self.text[base.clone()]);
                    self.note(self.lines.bytes(field.expr.span()), Kind::Field { id, base });
                }
            }
        }
        visit::visit_expr_struct(self, whole);
    }
}

/// Whether it binds names: such a condition is no value that a switch could stand around.
fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}
