//! The catalogue of providers that this build can speak to.
//!
//! One line per vendor; each folder beside `src` is one vendor's crate. No other code names a vendor:
//! `config` is handed [`REGISTRATIONS`] and knows kinds only by their registration.

use otter_provider::Registration;

/// Every vendor, by its kind.
pub const REGISTRATIONS: &[Registration] = &[
    otter_provider_rbm::REGISTRATION,
    otter_provider_sandbox::REGISTRATION,
    otter_provider_twilio::REGISTRATION,
    otter_provider_whatsapp::REGISTRATION,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::REGISTRATIONS;

    #[test]
    fn every_kind_is_listed_once() {
        let kinds: BTreeSet<_> = REGISTRATIONS.iter().map(|registration| registration.kind).collect();
        assert_eq!(kinds.len(), REGISTRATIONS.len());
    }
}
