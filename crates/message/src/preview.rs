//! Every text as an operator looks at it before anybody receives it.

use otter_domain::{Channel, Code, Locale, Payment, PaymentPolicy, PurposeName, TenantId};

use crate::builtin::{Kind, Medium};
use crate::catalogue::{Catalogue, Wordings};
use crate::compose::{Particulars, SAMPLE_CODE};
use crate::money::Bill;
use crate::sms::Measurement;
use crate::spoken;
use crate::tenant::Texts;

/// One text with sample values, and the room it takes (FMT-04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Whose.
    pub tenant: TenantId,
    /// For which purpose.
    pub purpose: PurposeName,
    /// In which language.
    pub locale: Locale,
    /// Over which channel; WhatsApp is missing because its texts are the vendor's.
    pub channel: Channel,
    /// Whether the operator wrote it; else it is built in.
    pub own: bool,
    /// The text with a sample code (042137), 5 minutes and a sample payment.
    pub text: String,
    /// For SMS, the room that the sample takes and the room with the longest values.
    pub room: Option<Room>,
}

/// The room that an SMS takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// With the sample values.
    pub sample: Measurement,
    /// With a code of 10 digits, the longest minutes, an amount of 14 characters and a payee of 20, in the wording that
    /// is used then.
    pub longest: Measurement,
}

impl Catalogue {
    /// Previews every text: tenants and languages in alphabetical order, purposes as configured. The languages are the
    /// built-in ones and those of the tenant's own texts.
    pub fn previews(&self) -> Vec<Preview> {
        let mut tenants: Vec<(&TenantId, &Texts)> = self.tenants().collect();
        tenants.sort_by_key(|(tenant, _)| *tenant);
        let mut previews = Vec::new();
        for (tenant, texts) in tenants {
            let built_in = self.languages().iter().map(|language| language.locale.clone());
            let mut locales: Vec<Locale> =
                built_in.chain(texts.own.iter().map(|own| own.locale.clone())).collect();
            locales.sort();
            locales.dedup();
            for (purpose, policy) in &texts.purposes {
                for locale in &locales {
                    let preview = |medium| self.preview((tenant, texts), (purpose, *policy), locale, medium);
                    previews.extend(Medium::ALL.map(preview));
                }
            }
        }
        previews
    }

    fn preview(
        &self,
        (tenant, texts): (&TenantId, &Texts),
        (purpose, policy): (&PurposeName, PaymentPolicy),
        locale: &Locale,
        medium: Medium,
    ) -> Preview {
        let bill = match policy {
            PaymentPolicy::NotAPayment => None,
            PaymentPolicy::Required => Some(sample_bill()),
        };
        let kind = if bill.is_some() { Kind::Payment } else { Kind::Plain };
        let Wordings { wordings, own, .. } =
            self.wordings(texts, kind, medium, Some(purpose), std::slice::from_ref(locale));
        let code = Code::parse(SAMPLE_CODE).expect("the sample is six digits");
        let particulars = Particulars { minutes: 5, bill: bill.as_ref(), code: &code };
        let (text, room) = match medium {
            Medium::Sms => {
                let sample = texts.frame.sms(wordings, particulars);
                let longest = texts.frame.longest(wordings).measurement;
                (sample.text, Some(Room { sample: sample.measurement, longest }))
            }
            Medium::Rcs => (texts.frame.rich(&wordings[0], particulars), None),
            Medium::Voice => {
                (spoken::script(&texts.frame.spoken(&wordings[0], particulars, locale.clone())), None)
            }
        };
        Preview {
            tenant: tenant.clone(),
            purpose: purpose.clone(),
            locale: locale.clone(),
            channel: medium.channel(),
            own,
            text: text.reveal().to_owned(),
            room,
        }
    }
}

fn sample_bill() -> Bill {
    Bill::of(&Payment {
        currency: "EUR".into(),
        minor_units: 4999,
        payee_id: "DE89370400440532013000".into(),
        payee_name: "Book Shop GmbH".into(),
    })
}
