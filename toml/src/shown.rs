//! Texts from outside in messages: they must not steer the terminal or the log that shows them.

/// Whether a character does something to a terminal instead of standing there: control characters, and those
/// that separate lines or change the direction of writing.
pub fn steers(letter: char) -> bool {
    let unicode = ['\u{200e}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    letter.is_control() || unicode.iter().any(|range| range.contains(&letter))
}

/// The text, with what steers as escapes.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if steers(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}
