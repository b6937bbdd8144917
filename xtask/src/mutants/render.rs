//! Writes a file with all its mutants in it, each behind a switch.
//!
//! Invariant: with no switch on the file means what it meant. Every mutant stands between two marks, by which
//! an error of the compiler is known to be its own.
//!
//! Knows nothing of files and of compilers.

use std::{fmt::Write as _, ops::Range};

use super::place::{Edit, Kind};

/// The function that says whether a mutant is on.
const ON: &str = "crate::mutant::on";
/// What an arm that had no condition begins its condition with.
const ARM: &str = "true && !";

/// The text with its edits made.
pub(super) fn render(text: &str, edits: &[Edit]) -> String {
    let mut page = Page { text, out: String::new() };
    page.part(0..text.len(), edits);
    page.out
}

/// The mutants that stand around some bytes of a file written here, from the innermost outwards.
pub(super) fn mutants_at(written: &str, bytes: &Range<usize>) -> Vec<u32> {
    let mut around: Vec<(usize, u32)> = marks(written)
        .filter(|(range, _)| range.start <= bytes.start && bytes.end <= range.end)
        .map(|(range, id)| (range.len(), id))
        .collect();
    around.sort_unstable();
    around.into_iter().map(|(_, id)| id).collect()
}

/// The first arm from `at` on that had no condition until it got a switch.
pub(super) fn arm_after(written: &str, at: usize) -> Option<u32> {
    marks(written)
        .find(|(range, id)| range.start >= at && written[range.start..].starts_with(&format!("/*<{id}*/{ARM}")))
        .map(|(_, id)| id)
}

fn marks(written: &str) -> impl Iterator<Item = (Range<usize>, u32)> + '_ {
    written.match_indices("/*<").filter_map(|(begin, mark)| {
        let digits = &written[begin + mark.len()..];
        let id: u32 = digits[..digits.find("*/")?].parse().ok()?;
        let last = format!("/*{id}>*/");
        let end = begin + written[begin..].find(&last)? + last.len();
        Some((begin..end, id))
    })
}

struct Page<'a> {
    text: &'a str,
    out: String,
}

impl Page<'_> {
    /// A part of the text, with those of the edits that lie in it.
    fn part(&mut self, range: Range<usize>, edits: &[Edit]) {
        let mut at = range.start;
        for (index, edit) in edits.iter().enumerate() {
            if edit.range.start < at || edit.range.end > range.end {
                continue;
            }
            self.push(&self.text[at..edit.range.start]);
            self.edit(edit, &edits[index + 1..]);
            at = edit.range.end;
        }
        self.push(&self.text[at..range.end]);
    }

    fn edit(&mut self, edit: &Edit, inner: &[Edit]) {
        match &edit.kind {
            Kind::Body(answers) => {
                for (id, answer) in answers {
                    self.marked(*id, &format!("if {ON}({id}) {{ return {answer}; }}"));
                }
            }
            Kind::Binary { left, operator, right, others } => {
                self.push("(");
                for (id, other) in others {
                    let (left, right) = (&self.text[left.clone()], &self.text[right.clone()]);
                    self.marked(*id, &format!("if {ON}({id}) {{ {left} {other} {right} }}"));
                    self.push("else ");
                }
                self.push("{ ");
                self.part(left.clone(), inner);
                self.push(&format!(" {} ", &self.text[operator.clone()]));
                self.part(right.clone(), inner);
                self.push(" })");
            }
            Kind::Unary { id, operator, operand } => {
                self.push("(");
                self.marked(*id, &format!("if {ON}({id}) {{ {} }}", &self.text[operand.clone()]));
                self.push(&format!("else {{ {}", &self.text[operator.clone()]));
                self.part(operand.clone(), inner);
                self.push(" })");
            }
            Kind::Guard { always, never } => {
                for id in never {
                    self.marked(*id, &format!("!{ON}({id})"));
                    self.push("&& ");
                }
                self.push("(");
                for id in always {
                    self.marked(*id, &format!("{ON}({id})"));
                    self.push("|| ");
                }
                self.push("(");
                self.part(edit.range.clone(), inner);
                self.push("))");
            }
            Kind::Arm(id) => {
                self.push(" if");
                self.marked(*id, &format!("{ARM}{ON}({id})"));
            }
            Kind::Field { id, base } => {
                self.marked(*id, &format!("if {ON}({id}) {{ {base} }}"));
                self.push("else { ");
                self.part(edit.range.clone(), inner);
                self.push(" }");
            }
        }
    }

    fn marked(&mut self, id: u32, mutant: &str) {
        let _infallible = write!(self.out, " /*<{id}*/{mutant}/*{id}>*/ ");
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }
}
