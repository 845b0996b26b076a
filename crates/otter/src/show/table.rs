//! Tables as all commands draw them: no lines, a bold head, two blanks between columns.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};

use super::Tone;
use super::screen::Width;
use super::tone::plain;

/// What stands at the head of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Head {
    /// Over words that stay whole.
    Words(&'static str),
    /// Over sentences, which are folded where it is narrow.
    Sentences(&'static str),
    /// Over figures, which stand to the right.
    Figures(&'static str),
}

/// Draws a table. Without a width its lines are as long as they need to be.
pub(crate) fn table(heads: &[Head], rows: impl IntoIterator<Item = Vec<Cell>>, width: Width) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).force_no_tty().enforce_styling();
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heads.iter().map(|head| match head {
        Head::Words(text) | Head::Sentences(text) => Tone::Strong.cell(text),
        Head::Figures(text) => Tone::Strong.figure(text),
    }));
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let whole = table.to_string();
    match width {
        Some(width) if widest_line(&whole) > width.into() => folded(table, heads, width),
        Some(_) | None => whole,
    }
}

fn folded(mut table: Table, heads: &[Head], width: u16) -> String {
    for (column, head) in table.column_iter_mut().zip(heads) {
        match head {
            Head::Words(_) | Head::Figures(_) => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            Head::Sentences(_) => {}
        }
    }
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.to_string()
}

/// How many characters the longest line has.
pub(crate) fn widest_line(text: &str) -> usize {
    plain(text).lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

/// Draws `name  value` pairs under each other, indented, the names aligned and faint.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let longest = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| {
        let name = Tone::Faint.paint(format!("{name:<longest$}"));
        format!("  {name}  {value}")
    };
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: [Head; 3] = [Head::Words("NAME"), Head::Figures("COUNT"), Head::Sentences("WHY")];

    fn drawn(width: Width) -> String {
        let row =
            vec![Tone::Good.cell("twilio-eu"), Tone::Plain.figure(7), Tone::Faint.cell("It is the first.")];
        plain(&table(&HEADS, [row], width))
    }

    #[test]
    fn what_fits_is_not_folded() {
        let whole = "NAME       COUNT  WHY\ntwilio-eu      7  It is the first.";
        assert_eq!(drawn(None), whole);
        assert_eq!(drawn(Some(80)), whole);
    }

    #[test]
    fn sentences_are_folded_and_names_are_not() {
        let folded = "NAME       COUNT  WHY\ntwilio-eu      7  It is the\n                  first.";
        assert_eq!(drawn(Some(30)), folded);
    }
}
