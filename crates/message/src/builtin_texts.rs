//! The words of the built-in texts.
//!
//! An SMS has several wordings, longest first; the first that fits the tenant's parts is used, so a long brand or an
//! autofill line costs the extra sentences, not a second part. Where a language's SMS would need UCS-2 for a few letters
//! only (Spanish, Portuguese, Turkish), its words are chosen or written inside GSM-7 (`codigo`), as carriers and banks of
//! these countries do. RCS and voice have no such limit and are written in full orthography. Every text begins with the
//! code (FMT-12, FMT-15), which also keeps right-to-left texts readable (FMT-61).

/// The texts of one language.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The language tags that it serves; the first is its own.
    pub(crate) tags: &'static [&'static str],
    pub(crate) plain: Wordings,
    pub(crate) payment: Wordings,
}

/// The texts for one case.
#[derive(Debug)]
pub(crate) struct Wordings {
    /// Longest first.
    pub(crate) sms: &'static [&'static str],
    pub(crate) rcs: &'static str,
    /// With the code twice; the words between are said around the digits.
    pub(crate) voice: &'static str,
}

pub(crate) static TEXTS: [Texts; 14] = [
    Texts {
        tags: &["en"],
        plain: Wordings {
            sms: &[
                "{code} is your {brand} code. It expires in {minutes, plural, one {# minute} other {# minutes}}. Do not share it.",
                "{code} is your {brand} code. Do not share it.",
                "{code} is your {brand} code.",
            ],
            rcs: "{code} is your {brand} code. It expires in {minutes, plural, one {# minute} other {# minutes}}. Do not share it.",
            voice: "Your {brand} code is: {code}. Again: {code}. Goodbye.",
        },
        payment: Wordings {
            sms: &[
                "{code} confirms your {brand} payment of {amount} to {payee}. Valid {minutes} min. Never share this code.",
                "{code} confirms your payment of {amount} to {payee}. Never share it.",
                "{code}: code to pay {amount} to {payee}",
            ],
            rcs: "{code} confirms your {brand} payment of {amount} to {payee}. Valid {minutes, plural, one {# minute} other {# minutes}}. Never share this code.",
            voice: "You are paying {amount} to {payee} with {brand}. Your code is: {code}. Again: {code}. Goodbye.",
        },
    },
    Texts {
        tags: &["de"],
        plain: Wordings {
            sms: &[
                "{code} ist dein {brand}-Code. Er läuft in {minutes, plural, one {# Minute} other {# Minuten}} ab. Gib ihn nicht weiter.",
                "{code} ist dein {brand}-Code. Gib ihn nicht weiter.",
                "{code} ist dein {brand}-Code.",
            ],
            rcs: "{code} ist dein {brand}-Code. Er läuft in {minutes, plural, one {# Minute} other {# Minuten}} ab. Gib ihn nicht weiter.",
            voice: "Dein {brand}-Code lautet: {code}. Noch einmal: {code}. Auf Wiederhören.",
        },
        payment: Wordings {
            sms: &[
                "{code} bestätigt deine {brand}-Zahlung von {amount} an {payee}. {minutes} Min. gültig. Gib den Code nie weiter.",
                "{code} bestätigt deine Zahlung von {amount} an {payee}. Gib den Code nie weiter.",
                "{code}: Code für {amount} an {payee}",
            ],
            rcs: "{code} bestätigt deine {brand}-Zahlung von {amount} an {payee}. {minutes, plural, one {# Minute} other {# Minuten}} gültig. Gib den Code nie weiter.",
            voice: "Du zahlst {amount} an {payee} mit {brand}. Dein Code lautet: {code}. Noch einmal: {code}. Auf Wiederhören.",
        },
    },
    Texts {
        tags: &["es"],
        plain: Wordings {
            sms: &[
                "{code} es tu codigo de {brand}. Caduca en {minutes, plural, one {# minuto} other {# minutos}}. No lo compartas.",
                "{code} es tu codigo de {brand}. No lo compartas.",
                "{code} es tu codigo de {brand}.",
            ],
            rcs: "{code} es tu código de {brand}. Caduca en {minutes, plural, one {# minuto} other {# minutos}}. No lo compartas.",
            voice: "Tu código de {brand} es: {code}. Repito: {code}. Adiós.",
        },
        payment: Wordings {
            sms: &[
                "{code} confirma tu pago de {amount} a {payee} con {brand}. Caduca en {minutes} min. No compartas este codigo.",
                "{code} confirma tu pago de {amount} a {payee}. No lo compartas.",
                "{code}: codigo para pagar {amount} a {payee}",
            ],
            rcs: "{code} confirma tu pago de {amount} a {payee} con {brand}. Caduca en {minutes, plural, one {# minuto} other {# minutos}}. No compartas este código.",
            voice: "Vas a pagar {amount} a {payee} con {brand}. Tu código es: {code}. Repito: {code}. Adiós.",
        },
    },
    Texts {
        tags: &["fr"],
        plain: Wordings {
            sms: &[
                "{code} est votre code {brand}. Il expire dans {minutes, plural, one {# minute} other {# minutes}}. Ne le partagez pas.",
                "{code} est votre code {brand}. Ne le partagez pas.",
                "{code} est votre code {brand}.",
            ],
            rcs: "{code} est votre code {brand}. Il expire dans {minutes, plural, one {# minute} other {# minutes}}. Ne le partagez pas.",
            voice: "Votre code {brand} est : {code}. Je répète : {code}. Au revoir.",
        },
        payment: Wordings {
            sms: &[
                "{code} confirme votre paiement {brand} de {amount} à {payee}. Valable {minutes} min. Ne partagez jamais ce code.",
                "{code} confirme votre paiement de {amount} à {payee}. Ne le partagez pas.",
                "{code} : code pour payer {amount} à {payee}",
            ],
            rcs: "{code} confirme votre paiement {brand} de {amount} à {payee}. Valable {minutes, plural, one {# minute} other {# minutes}}. Ne partagez jamais ce code.",
            voice: "Vous payez {amount} à {payee} avec {brand}. Votre code est : {code}. Je répète : {code}. Au revoir.",
        },
    },
    Texts {
        tags: &["pt"],
        plain: Wordings {
            sms: &[
                "{code} é o seu codigo {brand}. Expira em {minutes, plural, one {# minuto} other {# minutos}}. Nunca o partilhe.",
                "{code} é o seu codigo {brand}. Nunca o partilhe.",
                "{code} é o seu codigo {brand}.",
            ],
            rcs: "{code} é o seu código {brand}. Expira em {minutes, plural, one {# minuto} other {# minutos}}. Nunca o partilhe.",
            voice: "O seu código {brand} é: {code}. Repito: {code}. Até breve.",
        },
        payment: Wordings {
            sms: &[
                "{code} confirma o seu pagamento {brand} de {amount} a {payee}. Expira em {minutes} min. Nunca partilhe este codigo.",
                "{code} confirma o seu pagamento de {amount} a {payee}. Nunca o partilhe.",
                "{code}: codigo para pagar {amount} a {payee}",
            ],
            rcs: "{code} confirma o seu pagamento {brand} de {amount} a {payee}. Expira em {minutes, plural, one {# minuto} other {# minutos}}. Nunca partilhe este código.",
            voice: "Vai pagar {amount} a {payee} com {brand}. O seu código é: {code}. Repito: {code}. Até breve.",
        },
    },
    Texts {
        tags: &["pt-BR"],
        plain: Wordings {
            sms: &[
                "{code} é seu codigo {brand}. Expira em {minutes, plural, one {# minuto} other {# minutos}}. Nunca o compartilhe.",
                "{code} é seu codigo {brand}. Nunca o compartilhe.",
                "{code} é seu codigo {brand}.",
            ],
            rcs: "{code} é seu código {brand}. Expira em {minutes, plural, one {# minuto} other {# minutos}}. Nunca o compartilhe.",
            voice: "Seu código {brand} é: {code}. Repetindo: {code}. Até logo.",
        },
        payment: Wordings {
            sms: &[
                "{code} confirma seu pagamento {brand} de {amount} para {payee}. Expira em {minutes} min. Nunca compartilhe este codigo.",
                "{code} confirma seu pagamento de {amount} para {payee}. Nunca o compartilhe.",
                "{code}: codigo para pagar {amount} a {payee}",
            ],
            rcs: "{code} confirma seu pagamento {brand} de {amount} para {payee}. Expira em {minutes, plural, one {# minuto} other {# minutos}}. Nunca compartilhe este código.",
            voice: "Você vai pagar {amount} para {payee} com {brand}. Seu código é: {code}. Repetindo: {code}. Até logo.",
        },
    },
    Texts {
        tags: &["it"],
        plain: Wordings {
            sms: &[
                "{code} è il tuo codice {brand}. Scade tra {minutes, plural, one {# minuto} other {# minuti}}. Non condividerlo.",
                "{code} è il tuo codice {brand}. Non condividerlo.",
                "{code} è il tuo codice {brand}.",
            ],
            rcs: "{code} è il tuo codice {brand}. Scade tra {minutes, plural, one {# minuto} other {# minuti}}. Non condividerlo.",
            voice: "Il tuo codice {brand} è: {code}. Ripeto: {code}. Arrivederci.",
        },
        payment: Wordings {
            sms: &[
                "{code} conferma il tuo pagamento {brand} di {amount} a {payee}. Scade tra {minutes} min. Non condividere il codice.",
                "{code} conferma il tuo pagamento di {amount} a {payee}. Non condividerlo.",
                "{code}: codice per pagare {amount} a {payee}",
            ],
            rcs: "{code} conferma il tuo pagamento {brand} di {amount} a {payee}. Scade tra {minutes, plural, one {# minuto} other {# minuti}}. Non condividere il codice.",
            voice: "Stai pagando {amount} a {payee} con {brand}. Il tuo codice è: {code}. Ripeto: {code}. Arrivederci.",
        },
    },
    Texts {
        tags: &["tr"],
        plain: Wordings {
            sms: &[
                "{code} {brand} kodunuz. Süresi {minutes} dakika. Kodu kimseye vermeyin.",
                "{code} {brand} kodunuz. Kimseye vermeyin.",
                "{code} {brand} kodunuz.",
            ],
            rcs: "{code}, {brand} doğrulama kodunuz. {minutes} dakika geçerlidir. Kodu kimseyle paylaşmayın.",
            voice: "{brand} kodunuz: {code}. Tekrar ediyorum: {code}. Hoşça kalın.",
        },
        payment: Wordings {
            sms: &[
                "{code} {brand} ödeme kodunuz. Tutar: {amount}. Hedef: {payee}. Süresi {minutes} dakika. Kodu kimseye vermeyin.",
                "{code} ödeme kodunuz. Tutar: {amount}. Hedef: {payee}",
                "{code}: ödeme kodu, {amount}, {payee}",
            ],
            rcs: "{code}, {payee} alıcısına {amount} tutarındaki {brand} ödemenizi onaylar. {minutes} dakika geçerlidir. Kodu kimseyle paylaşmayın.",
            voice: "{brand} ile {payee} alıcısına {amount} ödüyorsunuz. Kodunuz: {code}. Tekrar ediyorum: {code}. Hoşça kalın.",
        },
    },
    Texts {
        tags: &["ar"],
        plain: Wordings {
            sms: &[
                "{code} رمز {brand}. صالح لمدة {minutes, plural, one {دقيقة} two {دقيقتين} few {# دقائق} other {# دقيقة}}. لا تشاركه.",
                "{code} رمز {brand}. لا تشاركه.",
                "{code} رمز {brand}",
            ],
            rcs: "{code} هو رمز {brand} الخاص بك. صالح لمدة {minutes, plural, one {دقيقة واحدة} two {دقيقتين} few {# دقائق} other {# دقيقة}}. لا تشاركه مع أحد.",
            voice: "رمز {brand} الخاص بك هو: {code}. مرة أخرى: {code}. مع السلامة.",
        },
        payment: Wordings {
            sms: &[
                "{code} رمز دفع {amount} إلى {payee} عبر {brand}. لا تشاركه.",
                "{code} رمز دفع {amount} إلى {payee}. لا تشاركه.",
                "{code} رمز دفع {amount} إلى {payee}",
            ],
            rcs: "{code} رمز تأكيد دفع {amount} إلى {payee} عبر {brand}. صالح لمدة {minutes, plural, one {دقيقة واحدة} two {دقيقتين} few {# دقائق} other {# دقيقة}}. لا تشاركه مع أحد.",
            voice: "ستدفع {amount} إلى {payee} عبر {brand}. رمزك هو: {code}. مرة أخرى: {code}. مع السلامة.",
        },
    },
    Texts {
        tags: &["hi"],
        plain: Wordings {
            sms: &[
                "{code} {brand} कोड है। {minutes} मिनट तक वैध। साझा न करें।",
                "{code} {brand} कोड है। साझा न करें।",
                "{code} {brand} कोड",
            ],
            rcs: "{code} आपका {brand} कोड है। यह {minutes} मिनट तक वैध है। इसे किसी से साझा न करें।",
            voice: "आपका {brand} कोड है: {code}। दोबारा: {code}। धन्यवाद।",
        },
        payment: Wordings {
            sms: &[
                "{code}: {payee} को {amount} भुगतान का {brand} कोड। साझा न करें।",
                "{code}: {payee} को {amount} भुगतान का कोड। साझा न करें।",
                "{code}: {payee} को {amount} भुगतान का कोड",
            ],
            rcs: "{code}: {payee} को {amount} के भुगतान का आपका {brand} कोड। यह {minutes} मिनट तक वैध है। इसे किसी से साझा न करें।",
            voice: "आप {brand} से {payee} को {amount} का भुगतान कर रहे हैं। आपका कोड है: {code}। दोबारा: {code}। धन्यवाद।",
        },
    },
    Texts {
        tags: &["id"],
        plain: Wordings {
            sms: &[
                "{code} adalah kode {brand} Anda. Berlaku {minutes} menit. Jangan bagikan kepada siapa pun.",
                "{code} adalah kode {brand} Anda. Jangan bagikan.",
                "{code} adalah kode {brand} Anda.",
            ],
            rcs: "{code} adalah kode {brand} Anda. Berlaku {minutes} menit. Jangan bagikan kepada siapa pun.",
            voice: "Kode {brand} Anda adalah: {code}. Sekali lagi: {code}. Terima kasih.",
        },
        payment: Wordings {
            sms: &[
                "{code} adalah kode {brand} untuk membayar {amount} ke {payee}. Berlaku {minutes} menit. Jangan bagikan kode ini.",
                "{code} adalah kode untuk membayar {amount} ke {payee}. Jangan bagikan.",
                "{code}: kode bayar {amount} ke {payee}",
            ],
            rcs: "{code} adalah kode {brand} untuk membayar {amount} ke {payee}. Berlaku {minutes} menit. Jangan bagikan kode ini kepada siapa pun.",
            voice: "Anda membayar {amount} ke {payee} dengan {brand}. Kode Anda adalah: {code}. Sekali lagi: {code}. Terima kasih.",
        },
    },
    Texts {
        tags: &["zh"],
        plain: Wordings {
            sms: &["验证码{code}，{minutes}分钟内有效，请勿泄露。【{brand}】", "验证码{code}【{brand}】"],
            rcs: "验证码{code}，{minutes}分钟内有效，请勿向任何人泄露。【{brand}】",
            voice: "您的{brand}验证码是：{code}。再说一遍：{code}。再见。",
        },
        payment: Wordings {
            sms: &[
                "验证码{code}，您正向{payee}支付{amount}，{minutes}分钟内有效，请勿泄露。【{brand}】",
                "验证码{code}，向{payee}支付{amount}，请勿泄露。【{brand}】",
                "验证码{code}，向{payee}支付{amount}，请勿泄露。",
            ],
            rcs: "验证码{code}，您正向{payee}支付{amount}，{minutes}分钟内有效，请勿向任何人泄露。【{brand}】",
            voice: "您正通过{brand}向{payee}支付{amount}。您的验证码是：{code}。再说一遍：{code}。再见。",
        },
    },
    Texts {
        tags: &["zh-Hant", "zh-TW", "zh-HK", "zh-MO"],
        plain: Wordings {
            sms: &["驗證碼{code}，{minutes}分鐘內有效，請勿告訴他人。【{brand}】", "驗證碼{code}【{brand}】"],
            rcs: "驗證碼{code}，{minutes}分鐘內有效，請勿告訴任何人。【{brand}】",
            voice: "您的{brand}驗證碼是：{code}。再說一遍：{code}。再見。",
        },
        payment: Wordings {
            sms: &[
                "驗證碼{code}，您正向{payee}支付{amount}，{minutes}分鐘內有效，請勿告訴他人。【{brand}】",
                "驗證碼{code}，向{payee}支付{amount}，請勿告訴他人。【{brand}】",
                "驗證碼{code}，向{payee}支付{amount}，請勿告訴他人。",
            ],
            rcs: "驗證碼{code}，您正向{payee}支付{amount}，{minutes}分鐘內有效，請勿告訴任何人。【{brand}】",
            voice: "您正透過{brand}向{payee}支付{amount}。您的驗證碼是：{code}。再說一遍：{code}。再見。",
        },
    },
    Texts {
        tags: &["ja"],
        plain: Wordings {
            sms: &[
                "{code} は{brand}の認証コードです。{minutes}分間有効です。他人に教えないでください。",
                "{code} は{brand}の認証コードです。",
            ],
            rcs: "{code} は{brand}の認証コードです。{minutes}分間有効です。他人に教えないでください。",
            voice: "{brand}の認証コードは、{code}。繰り返します、{code}。失礼いたします。",
        },
        payment: Wordings {
            sms: &[
                "{code} は{brand}での{payee}への支払い{amount}の認証コードです。他人に教えないでください。",
                "{code} は{payee}への支払い{amount}の認証コードです。",
            ],
            rcs: "{code} は{brand}での{payee}への支払い{amount}の認証コードです。{minutes}分間有効です。他人に教えないでください。",
            voice: "{brand}で{payee}に{amount}を支払います。認証コードは、{code}。繰り返します、{code}。失礼いたします。",
        },
    },
];
