//! What wrong codes in a row keep back for a person.

use comfy_table::Cell;
use otter_contract::admin::v1::{GetLocksResponse, LiftLockResponse, Lock, LockState};

use super::screen::Width;
use super::table::{Head, table};
use super::words::Word as _;
use super::{Shown, Tone, time};

const HEADS: [Head; 6] = [
    Head::Words("CLASS"),
    Head::Figures("WRONG CODES"),
    Head::Words("STATE"),
    Head::Words("UNTIL"),
    Head::Words("LAST"),
    Head::Words("LAST VERIFICATION"),
];

fn row(lock: &Lock) -> Vec<Cell> {
    let (tone, until) = match lock.state() {
        LockState::Locked => (Tone::Bad, "it is lifted".to_owned()),
        LockState::Waiting => (Tone::Open, moment(lock.wait_end_time.as_ref())),
        LockState::Counted | LockState::Unspecified => (Tone::Plain, "-".to_owned()),
    };
    vec![
        Tone::Plain.cell(lock.channel_class().word()),
        Tone::Plain.figure(lock.failures),
        tone.cell(lock.state().word()),
        Tone::Plain.cell(until),
        Tone::Plain.cell(moment(lock.last_failure_time.as_ref())),
        Tone::Plain.cell(&lock.last_verification_id),
    ]
}

fn moment(time: Option<&prost_types::Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), time::moment)
}

fn drawn(locks: &[Lock], width: Width) -> String {
    table(&HEADS, locks.iter().map(row), width)
}

impl Shown for GetLocksResponse {
    const NAME: &'static str = "otter.admin.v1.GetLocksResponse";

    fn text(&self, width: Width) -> String {
        if self.locks.is_empty() {
            return format!("no wrong codes are counted for {}", self.masked_recipient);
        }
        format!("{}\n{}", Tone::Strong.paint(&self.masked_recipient), drawn(&self.locks, width))
    }
}

impl Shown for LiftLockResponse {
    const NAME: &'static str = "otter.admin.v1.LiftLockResponse";

    fn text(&self, width: Width) -> String {
        let title = format!("forgotten for {}, as they were:", Tone::Strong.paint(&self.masked_recipient));
        format!("{title}\n{}", drawn(&self.locks, width))
    }
}

#[cfg(test)]
mod tests {
    use otter_contract::v1::ChannelClass;
    use prost_types::Timestamp;

    use super::super::tone::plain;
    use super::*;

    fn lock(class: ChannelClass, failures: u32, state: LockState) -> Lock {
        Lock {
            channel_class: class.into(),
            failures,
            state: state.into(),
            last_failure_time: Some(Timestamp { seconds: 1_785_153_600, nanos: 0 }),
            last_verification_id: "018f2c5a".to_owned(),
            ..Lock::default()
        }
    }

    #[test]
    fn each_class_says_what_is_counted_and_what_follows() {
        let waiting = Lock {
            wait_end_time: Some(Timestamp { seconds: 1_785_154_080, nanos: 0 }),
            ..lock(ChannelClass::App, 9, LockState::Waiting)
        };
        let locks = vec![lock(ChannelClass::Pstn, 100, LockState::Locked), waiting];
        let masked_recipient = "+4915*******78".to_owned();
        let shown = GetLocksResponse { masked_recipient: masked_recipient.clone(), locks }.text(None);
        assert_eq!(
            plain(&shown),
            "\
+4915*******78
CLASS  WRONG CODES  STATE    UNTIL                    LAST                     LAST VERIFICATION
pstn           100  locked   it is lifted             2026-07-27 12:00:00 UTC  018f2c5a
app              9  waiting  2026-07-27 12:08:00 UTC  2026-07-27 12:00:00 UTC  018f2c5a"
        );
        let nothing = GetLocksResponse { masked_recipient, locks: Vec::new() }.text(None);
        assert_eq!(nothing, "no wrong codes are counted for +4915*******78");
    }

    #[test]
    fn what_was_lifted_is_told_as_it_was() {
        let locks = vec![lock(ChannelClass::Pstn, 7, LockState::Counted)];
        let shown = LiftLockResponse { masked_recipient: "+4915*******78".to_owned(), locks }.text(None);
        assert!(plain(&shown).starts_with("forgotten for +4915*******78, as they were:\nCLASS"), "{shown}");
    }
}
