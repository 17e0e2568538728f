//! Counts what a host asks a PostgreSQL server: what it sends and then waits for an answer to.
//!
//! By <https://www.postgresql.org/docs/current/protocol-message-formats.html>: messages have a type and a length, but for those
//! before the session, which have a length only.

/// `Query` and `Sync`: the server answers all that came before, and says that it is ready.
const QUESTIONS: [u8; 2] = [b'Q', b'S'];
/// Codes of `SSLRequest` and `GSSENCRequest`, which another message without a type follows.
const BEFORE_THE_FIRST: [u32; 2] = [80_877_103, 80_877_104];

/// What came over one connection so far.
#[derive(Debug, Default)]
pub(super) struct Questions {
    is_session: bool,
    /// The beginning of a message, as far as it says how long that is.
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    rest: usize,
}

impl Questions {
    /// How many questions end with these bytes, which come behind those before.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut questions = 0;
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = &bytes[skipped..];
            let Some((byte, behind)) = bytes.split_first() else { break };
            self.head.push(*byte);
            bytes = behind;
            if self.head.len() == if self.is_session { 5 } else { 8 } {
                questions += u64::from(self.begin_message());
            }
        }
        questions
    }

    /// Takes up the beginning of a message, and says whether it is a question.
    fn begin_message(&mut self) -> bool {
        let head = std::mem::take(&mut self.head);
        let number = |from: usize| u32::from_be_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
        let length = |from: usize| usize::try_from(number(from)).unwrap_or(usize::MAX);
        if self.is_session {
            // The length counts itself.
            self.rest = length(1).saturating_sub(4);
            QUESTIONS.contains(&head[0])
        } else {
            self.rest = length(0).saturating_sub(8);
            self.is_session = !BEFORE_THE_FIRST.contains(&number(4));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Questions;

    fn message(kind: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len() + 4).expect("a short text");
        [&[kind][..], &length.to_be_bytes(), text].concat()
    }

    #[test]
    fn questions_are_counted_wherever_the_bytes_are_parted() {
        let untyped = |code: u32, text: &[u8]| {
            let length = u32::try_from(text.len() + 8).expect("a short text");
            [&length.to_be_bytes()[..], &code.to_be_bytes(), text].concat()
        };
        let bytes = [
            untyped(80_877_103, b""),
            untyped(196_608, b"user\0S\0\0"),
            message(b'p', b"S"),
            message(b'Q', b"BEGIN; SELECT 1\0"),
            message(b'P', b"Q S\0"),
            message(b'B', b"QS"),
            message(b'E', b"\0"),
            message(b'S', b""),
            message(b'Q', b"COMMIT\0"),
            message(b'X', b""),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let mut questions = Questions::default();
            let counted: u64 = bytes.chunks(size).map(|part| questions.count(part)).sum();
            assert_eq!(counted, 3, "{size} bytes at a time");
        }
    }
}
