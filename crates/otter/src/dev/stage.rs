//! What a person sees of dev mode: acts, timelines, a progress bar and a live table of rates.

use std::io::{IsTerminal as _, Write as _};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use otter_sandbox_vendor::Vendor;

use otter_domain::PhoneNumber;
use otter_sandbox_vendor::Arrival;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::installation::API_KEY;
use crate::run::Node;
use crate::show::Tone;

/// Standard output: with bars and a live table on a terminal, plain lines for whatever else reads it.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    live: MultiProgress,
    has_colours: bool,
    is_terminal: bool,
}

impl Stage {
    /// Opens standard output.
    pub(crate) fn open() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let target =
            if is_terminal { ProgressDrawTarget::stdout_with_hz(8) } else { ProgressDrawTarget::hidden() };
        Self {
            live: MultiProgress::with_draw_target(target),
            has_colours: AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
            is_terminal,
        }
    }

    /// Whether somebody watches as it happens.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes lines above whatever is live.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        let text = if self.has_colours { text.to_owned() } else { strip_str(text).to_string() };
        // Nobody may be reading any more; the tour goes on.
        self.live.suspend(|| drop(writeln!(std::io::stdout(), "{text}")));
    }

    /// Writes lines a little to the right.
    pub(crate) fn tell(&self, text: impl AsRef<str>) {
        let lines: Vec<_> = text.as_ref().lines().map(|line| format!("  {line}")).collect();
        self.say(lines.join("\n"));
    }

    /// Begins an act.
    pub(crate) fn act(&self, number: u8, title: &str) {
        self.say(format!("\n{}", Tone::Strong.paint(format!("{number}. {title}"))));
    }

    /// A bar for so many codes with a picture below it, for as long as it is held.
    pub(crate) fn traffic(&self, codes: u64) -> Traffic {
        let style = |template: &str| {
            ProgressStyle::with_template(template).expect("the template is one that indicatif knows")
        };
        let bar = self.live.add(ProgressBar::new(codes));
        bar.set_style(style("  {bar:40.cyan/blue} {pos}/{len} codes  {msg}"));
        let picture = self.live.add(ProgressBar::new_spinner());
        picture.set_style(style("{msg}"));
        Traffic { bar, picture }
    }
}

/// A running bar and the picture below it.
#[derive(Debug)]
pub(crate) struct Traffic {
    bar: ProgressBar,
    picture: ProgressBar,
}

impl Traffic {
    /// One more code is on its way.
    pub(crate) fn one_more(&self) {
        self.bar.inc(1);
    }

    /// What is to be seen beside the bar and below it.
    pub(crate) fn show(&self, beside: String, below: &str) {
        self.bar.set_message(beside);
        let lines: Vec<_> = below.lines().map(|line| format!("  {line}")).collect();
        self.picture.set_message(lines.join("\n"));
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.picture.finish_and_clear();
    }
}

/// Says where everything is and what to try.
pub(crate) fn stays_up(node: &Node, vendor: &Vendor, place: &str) {
    let stage = Stage::open();
    let addresses = node.addresses();
    let grpc = addresses.grpc.map(|at| at.to_string()).unwrap_or_default();
    stage.say(format!("\n{}", Tone::Strong.paint("Otter stays up. Ctrl-C stops it.")));
    stage.tell(format!("gRPC     {grpc}, with reflection and health"));
    stage.tell(format!("metrics  http://{}/metrics", addresses.admin));
    stage.tell(format!("phones   {}/v1/handsets/NUMBER/messages shows what arrived", vendor.base_url()));
    stage.tell(format!("state    {place}"));
    stage.tell("Try, in another terminal (`otter` is target/release/otter):");
    let commands = [
        format!("export OTTER_SERVER=http://{grpc} OTTER_API_KEY={API_KEY}"),
        "otter send +4915112345678 --purpose login --watch".to_owned(),
        "otter rates --watch".to_owned(),
        "otter providers list".to_owned(),
    ];
    for command in commands {
        stage.tell(format!("  {}", Tone::Good.paint(command)));
    }
}

/// Shows what arrives on handsets, as their owners would see it.
pub(crate) async fn handsets(mut arrivals: Receiver<Arrival>) {
    let stage = Stage::open();
    stage.tell("What arrives on a handset is shown here:");
    loop {
        match arrivals.recv().await {
            Ok(Arrival { number, message }) => {
                let number =
                    PhoneNumber::parse(number.reveal()).map_or_else(|_| "?".to_owned(), |n| n.masked());
                let text = Tone::Open.paint(message.text.reveal());
                stage.tell(format!("{} {number}  {text}", Tone::Faint.paint(message.channel.as_str())));
            }
            Err(RecvError::Lagged(missed)) => stage.tell(format!("({missed} more)")),
            Err(RecvError::Closed) => return,
        }
    }
}
