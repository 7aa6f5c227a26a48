//! The forms in which a secret may turn up where it has no business.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Fourteen forms of `secret`, each long enough to be nothing else.
pub(crate) fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let each = |form: fn(u8) -> String| bytes.iter().map(|byte| form(*byte)).collect::<String>();
    let texts = [
        shifted(bytes, 0),
        shifted(bytes, 1),
        shifted(bytes, 2),
        URL_SAFE_NO_PAD.encode(bytes),
        base32(bytes),
        each(|byte| format!("{byte:02x}")),
        each(|byte| format!("{byte:02X}")),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("&#{byte};")),
        each(|byte| format!("\\x{byte:02x}")),
        secret.chars().rev().collect(),
    ];
    let wide = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts = texts.into_iter().map(String::into_bytes);
    texts.chain([bytes.to_vec(), wide]).collect()
}

/// The part of base64 that does not depend on the bytes before and after.
fn shifted(bytes: &[u8], before: usize) -> String {
    let text = STANDARD_NO_PAD.encode([&vec![0; before], bytes].concat());
    let begin = [0, 2, 3][before];
    let whole = (before + bytes.len()) * 8 / 6;
    text[begin..whole].to_owned()
}

/// RFC 4648, section 6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in bytes.chunks_exact(5) {
        let bits = chunk
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digits = (0..8)
            .rev()
            .map(|at| ALPHABET[(bits >> (5 * at)) as usize & 31]);
        text.extend(digits.map(char::from));
    }
    text
}

#[test]
fn the_forms_are_those_that_programs_write() {
    let forms = encodings("hunter2*hunter2");
    assert_eq!(forms.len(), 14);
    let has = |form: &str| forms.iter().any(|known| known == form.as_bytes());
    assert!(has("NB2W45DFOIZCU2DVNZ2GK4RS") && has("68756e746572322a68756e74657232"));
    let pair = STANDARD_NO_PAD.encode("joe:hunter2*hunter2:x");
    assert!(
        forms
            .iter()
            .any(|form| pair.contains(&*String::from_utf8_lossy(form)))
    );
}
