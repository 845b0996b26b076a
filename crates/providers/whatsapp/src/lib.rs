//! The whatsapp provider.
