//! The built-in texts as people receive them, for translators and reviewers to read.

use std::fmt::Write as _;
use std::path::Path;

use otter_domain::{Channel, PaymentPolicy, PurposeName, TenantId};
use otter_message::{Catalogue, Preview, TenantTexts};

#[test]
fn built_in_texts_are_those_of_the_committed_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("texts.md");
    let table = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == table, "{} is out of date: run again with UPDATE_GOLDEN=1", path.display());
}

fn previews(brand: &str) -> Vec<Preview> {
    let purposes = vec![
        (PurposeName::parse("code").unwrap(), PaymentPolicy::NotAPayment),
        (PurposeName::parse("payment").unwrap(), PaymentPolicy::Required),
    ];
    let texts = TenantTexts { purposes, ..TenantTexts::new(brand) };
    Catalogue::new(vec![(TenantId::parse("example").unwrap(), texts)]).unwrap().previews()
}

fn table() -> String {
    let mut table = String::from(
        "# Built-in texts\n\n\
         Rendered by the golden test of this crate (`UPDATE_GOLDEN=1` rewrites it) with the brand ExampleCo, the code \
         042137, 5 minutes and a payment of EUR 49.99. *Longest* is the room in units and parts with a brand of 16 \
         characters, a code of 10 digits, an amount of 14 characters and a payee of 20, in the wording that is used \
         then. RCS and voice have no parts.\n\n\
         | Locale | Kind | Text | Encoding | Units | Parts | Longest |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut rows: Vec<(Preview, Preview)> =
        previews("ExampleCo").into_iter().zip(previews("Sixteen letters.")).collect();
    let order = |channel| Channel::ALL.iter().position(|known| *known == channel);
    rows.sort_by_key(|(row, _)| (order(row.channel), row.purpose.clone()));
    for (row, longest) in rows {
        write!(table, "| {} | {}, {} | {} |", row.locale, row.channel, row.purpose, row.text).unwrap();
        match (row.room, longest.room) {
            (Some(room), Some(longest)) => {
                let (sample, longest) = (room.sample, longest.longest);
                let (encoding, units, parts) = (sample.encoding, sample.units, sample.parts);
                writeln!(table, " {encoding} | {units} | {parts} | {} / {} |", longest.units, longest.parts)
            }
            (None, _) | (_, None) => writeln!(table, " | | | |"),
        }
        .unwrap();
    }
    table
}
