//! Frames that the peer has not acknowledged.
//!
//! Messages that come one behind the other before anything is written go into one frame, a run: the last
//! frame stays open until it is written, or until a message comes that does not fit. A message alone is an
//! ordinary frame.
//!
//! Frames are written from where they lie. One of which a part is written stays until all of it is, also if
//! the peer acknowledges its messages meanwhile, which it may have got on the connection before.

use std::collections::VecDeque;

use crate::frame::{self, ALIGN, EncodeError, Flags, HEADER_LEN, Header, RUN_ENTRY_LEN, entry_head};

/// An empty window of a quiet link keeps no more than this, in bytes.
const KEEP_BYTES: usize = 4 << 10;
/// A value that is longer has a frame of its own, in bytes: there a header costs next to nothing.
const RUN_VALUE_MAX: usize = 1 << 10;
/// The value of a run is at most so long, in bytes: a reader waits for all of it before it handles the first.
pub(super) const RUN_BYTES: usize = 8 << 10;

/// Frames in the order of their sequence, from the first that is not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The frames, from `start` to `end`, and room for more behind them.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Of the last one, if it is open, `open` says what is true.
    frames: VecDeque<Kept>,
    /// The last one, if it is not complete.
    open: Option<Open>,
    /// Messages that are not acknowledged.
    messages: u64,
    /// The sequence of the last message that is.
    acked: u64,
    /// How many messages of the first frame are, which is a run then, or was written in part.
    first_acked: u64,
    /// How many frames, messages that are not acknowledged, and bytes from the front on have been written to
    /// the connection.
    written: usize,
    written_messages: u64,
    written_bytes: usize,
    /// How many bytes of the frame behind those have been.
    begun: usize,
}

/// One frame.
#[derive(Clone, Copy, Debug)]
struct Kept {
    len: u32,
    messages: u32,
}

/// A frame that lies at its place but for its header, to which messages may be added.
#[derive(Debug)]
struct Open {
    /// Of its first message, as the next.
    header: Header,
    value_len: u32,
    /// How long the frame is by now.
    len: usize,
    messages: u32,
    /// How many bytes of value the frame may have, and how many more there may be.
    run_max: usize,
    left: usize,
}

impl Open {
    /// By how much later than its first message one was published, if a run can say that (nanoseconds).
    #[inline(always)]
    fn later_ns(&self, publish_ns: i64) -> Option<u32> {
        publish_ns.checked_sub(self.header.publish_ns)?.try_into().ok()
    }
}

impl Window {
    /// The sequence of the last message.
    pub(super) fn last(&self) -> u64 {
        self.acked + self.messages
    }

    /// Messages that wait.
    pub(super) fn len(&self) -> u64 {
        self.messages
    }

    pub(super) fn bytes(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn is_written(&self) -> bool {
        self.written == self.frames.len()
    }

    /// Whether a frame is written in part.
    pub(super) fn is_mid_frame(&self) -> bool {
        self.begun > 0
    }

    /// Adds a message of a topic, to the last frame if that is open and takes no more than `run_max` bytes of
    /// value then.
    #[inline]
    pub(super) fn push(&mut self, header: &Header, value: &[u8], run_max: usize) -> Result<(), EncodeError> {
        let value_len = frame::check_lengths(header, value.len())?;
        if value.len() > RUN_VALUE_MAX || !is_plain(header) {
            let header = Header { sequence: self.last() + 1, flags: Flags::NONE, ..*header };
            return self.push_direct(&header, value, &[]);
        }
        if !self.extend(header, value, value_len, run_max) {
            self.begin(header, value, value_len, run_max);
        }
        Ok(())
    }

    /// Adds a message with a frame of its own, whose value goes on with `rest`. Its sequence and flags are
    /// the caller's.
    pub(super) fn push_direct(
        &mut self,
        header: &Header,
        value: &[u8],
        rest: &[u8],
    ) -> Result<(), EncodeError> {
        let value_len = value.len() + rest.len();
        frame::check_lengths(header, value_len)?;
        self.seal();
        let len = frame::frame_len(value_len);
        let space = self.space(len);
        let (to, behind) = space[HEADER_LEN..].split_at_mut(value.len());
        to.copy_from_slice(value);
        behind[..rest.len()].copy_from_slice(rest);
        let sealed = frame::seal(header, space, value_len);
        self.keep(len);
        sealed
    }

    fn keep(&mut self, len: usize) {
        // A value has at most 2^30 bytes.
        self.frames.push_back(Kept { len: len as u32, messages: 1 });
        self.messages += 1;
    }

    /// The next so many bytes, with whatever was there before.
    #[inline]
    fn space(&mut self, len: usize) -> &mut [u8] {
        let at = self.end;
        self.end += len;
        if self.end > self.bytes.len() {
            self.grow();
        }
        &mut self.bytes[at..self.end]
    }

    #[cold]
    fn grow(&mut self) {
        let len = self.end.max(2 * self.bytes.len());
        self.bytes.resize(len, 0);
    }

    /// Begins a frame with a message.
    fn begin(&mut self, header: &Header, value: &[u8], value_len: u32, run_max: usize) {
        self.seal();
        let header = Header { sequence: self.last() + 1, flags: Flags::NONE, ..*header };
        let len = frame::frame_len(value.len());
        put(&mut self.space(len)[HEADER_LEN..], value);
        self.keep(len);
        self.open = Some(Open { header, value_len, len, messages: 1, run_max, left: 0 });
    }

    /// Adds a message to the open frame; whether there is one that takes it.
    #[inline]
    fn extend(&mut self, header: &Header, value: &[u8], value_len: u32, run_max: usize) -> bool {
        let Some(open) = &self.open else { return false };
        let Some(later_ns) = open.later_ns(header.publish_ns) else { return false };
        let more = entry_len(value);
        let is_run = open.messages > 1 && open.run_max == run_max;
        (is_run || self.make_run(run_max, more)) && self.append(kind(header), value_len, later_ns, value)
    }

    /// Adds a message to the open frame if that is a run already and takes it; whether it does.
    #[inline(always)]
    pub(super) fn extend_run(
        &mut self,
        kind: (u16, u16, u32),
        publish_ns: i64,
        value: &[u8],
        run_max: usize,
    ) -> bool {
        let Some(open) = &self.open else { return false };
        let Some(later_ns) = open.later_ns(publish_ns) else { return false };
        let Ok(value_len) = u32::try_from(value.len()) else { return false };
        let is_run = open.messages > 1 && open.run_max == run_max;
        let fits = value.len() <= RUN_VALUE_MAX && kind.2 <= value_len;
        is_run && fits && self.append(kind, value_len, later_ns, value)
    }

    /// Adds a message to the open frame, which is a run, or was made one for it; whether there is room.
    #[inline(always)]
    fn append(&mut self, kind: (u16, u16, u32), value_len: u32, later_ns: u32, value: &[u8]) -> bool {
        let more = entry_len(value);
        let Some(open) = self.open.as_mut().filter(|open| more <= open.left) else { return false };
        open.left -= more;
        open.len += more;
        open.messages += 1;
        self.messages += 1;
        let (head, rest) = self.space(more).split_at_mut(RUN_ENTRY_LEN);
        head.copy_from_slice(&entry_head(kind, value_len, later_ns));
        put(rest, value);
        true
    }

    /// Makes the open frame a run, if it takes so many bytes more then: so far it may have been for one
    /// message. Whether it does.
    fn make_run(&mut self, run_max: usize, more: usize) -> bool {
        let Some(open) = &mut self.open else { return false };
        let first = if open.messages == 1 { RUN_ENTRY_LEN } else { 0 };
        let left = run_max.min(RUN_BYTES).saturating_sub(open.len - HEADER_LEN + first);
        if left < more {
            return false;
        }
        let at = self.end - open.len + HEADER_LEN;
        open.len += first;
        (open.run_max, open.left) = (run_max, left);
        if first > 0 {
            let (head, end) = (entry_head(kind(&open.header), open.value_len, 0), self.end);
            self.space(first);
            self.bytes.copy_within(at..end, at + first);
            self.bytes[at..at + first].copy_from_slice(&head);
        }
        true
    }

    /// Completes the open frame.
    fn seal(&mut self) {
        let (Some(open), Some(last)) = (self.open.take(), self.frames.back_mut()) else { return };
        let Open { header, value_len, len, messages, .. } = open;
        // It has at most 2^30 bytes.
        *last = Kept { len: len as u32, messages };
        let (header, value_len) = if messages == 1 {
            (header, value_len as usize)
        } else {
            let Header { sequence, publish_ns, .. } = header;
            let run = Header { flags: Flags::RUN, sequence, publish_ns, ..Header::default() };
            (run, len - HEADER_LEN)
        };
        let sealed = frame::seal(&header, &mut self.bytes[self.end - len..self.end], value_len);
        debug_assert_eq!(sealed, Ok(()), "its lengths were looked at when it was begun");
    }

    /// Messages up to this sequence are acknowledged; how many of them had not been before. The bytes of a
    /// run go when all of it is.
    pub(super) fn acknowledge(&mut self, sequence: u64) -> u64 {
        let open = self.open.as_ref().map_or(0, |open| u64::from(open.messages));
        if sequence > self.last() - open {
            self.seal();
        }
        let count = sequence.saturating_sub(self.acked).min(self.messages);
        self.acked += count;
        self.messages -= count;
        self.first_acked += count;
        self.written_messages = self.written_messages.saturating_sub(count);
        self.let_go();
        count
    }

    /// Lets go of the frames in front that are acknowledged, but for one that is written in part.
    fn let_go(&mut self) {
        let (mut bytes, mut frames) = (0, 0);
        for frame in &self.frames {
            let in_part = self.begun > 0 && frames == self.written;
            if in_part || self.first_acked < u64::from(frame.messages) {
                break;
            }
            self.first_acked -= u64::from(frame.messages);
            bytes += frame.len as usize;
            frames += 1;
        }
        self.frames.drain(..frames);
        self.start += bytes;
        self.written = self.written.saturating_sub(frames);
        self.written_bytes = self.written_bytes.saturating_sub(bytes);
        // The rest is moved at most once for as many bytes as have left.
        if self.start >= self.bytes() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.bytes());
        }
    }

    /// Gives memory back if nothing waits.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() {
            self.bytes.truncate(KEEP_BYTES);
            self.bytes.shrink_to(KEEP_BYTES);
            self.frames.shrink_to(KEEP_BYTES / size_of::<Kept>());
        }
    }

    /// Everything is to be written again; how many messages had been written before.
    pub(super) fn rewind(&mut self) -> u64 {
        (self.written, self.written_bytes, self.begun) = (0, 0, 0);
        self.let_go();
        std::mem::take(&mut self.written_messages)
    }

    /// Starts again from sequence 1; how many messages it still held.
    pub(super) fn reset(&mut self) -> u64 {
        std::mem::take(self).messages
    }

    /// What is to be written next: whole frames, until they have `most` bytes or there are no more. The first
    /// one may be written in part already.
    pub(super) fn unwritten(&mut self, most: usize) -> &[u8] {
        self.seal();
        let mut len = 0;
        for frame in self.frames.range(self.written..) {
            if len >= most {
                break;
            }
            len += frame.len as usize;
        }
        let at = self.start + self.written_bytes;
        &self.bytes[at + self.begun.min(len)..at + len]
    }

    /// So many bytes of what was to be written next have been.
    pub(super) fn wrote(&mut self, count: usize) {
        let before = self.written;
        self.begun += count;
        while let Some(Kept { len, messages }) = self.frames.get(self.written).copied()
            && self.begun >= len as usize
        {
            // Its messages are acknowledged, if it had to wait for its end.
            let acknowledged = self.written == 0 && self.first_acked >= u64::from(messages);
            self.written_messages += if acknowledged { 0 } else { u64::from(messages) };
            self.written += 1;
            self.written_bytes += len as usize;
            self.begun -= len as usize;
        }
        if self.written > before && self.first_acked > 0 {
            self.let_go();
        }
    }

    /// Appends frames that were not written yet, until `out` has `most` bytes or there are no more.
    pub(super) fn fill(&mut self, most: usize, out: &mut Vec<u8>) {
        let bytes = self.unwritten(most.saturating_sub(out.len()));
        out.extend_from_slice(bytes);
        let count = bytes.len();
        self.wrote(count);
    }
}

/// What a message takes in a run, in bytes.
#[inline(always)]
fn entry_len(value: &[u8]) -> usize {
    RUN_ENTRY_LEN + value.len().next_multiple_of(ALIGN)
}

/// Writes a value and its padding.
#[inline(always)]
fn put(to: &mut [u8], value: &[u8]) {
    let (to, padding) = to.split_at_mut(value.len());
    to.copy_from_slice(value);
    if !padding.is_empty() {
        padding.fill(0);
    }
}

/// What an entry of a run says of its message.
#[inline]
fn kind(header: &Header) -> (u16, u16, u32) {
    (header.type_id, header.version, header.root_len)
}

/// Whether the header says nothing that an entry of a run cannot say.
#[inline]
fn is_plain(header: &Header) -> bool {
    header.destination == 0 && header.trace_id == [0; 16] && header.span_id == [0; 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(window: &mut Window, header: &Header, value: &[u8]) {
        window.push(header, value, RUN_BYTES).expect("short enough");
    }

    /// Sequence, type id, publish time and length of each message that is written.
    fn written(window: &mut Window, most: usize) -> Vec<(u64, u16, i64, usize)> {
        let (mut out, mut seen) = (Vec::new(), Vec::new());
        window.fill(most, &mut out);
        let mut rest = &out[..];
        while !rest.is_empty() {
            let frame = frame::parse(rest, 1 << 20, false).expect("a frame");
            let Header { sequence, type_id, publish_ns, .. } = frame.header;
            match frame.run() {
                None => seen.push((sequence, type_id, publish_ns, frame.value.len())),
                Some(run) => seen.extend((sequence..).zip(run).map(|(sequence, entry)| {
                    assert_eq!((entry.version, entry.root_len), (entry.type_id, 1));
                    (sequence, entry.type_id, entry.publish_ns, entry.value.len())
                })),
            }
            rest = &rest[frame::frame_len(frame.value.len())..];
        }
        seen
    }

    #[test]
    fn frames_are_kept_until_acknowledged_and_written_again_after_a_cut() {
        let mut window = Window::default();
        let value = [0; RUN_VALUE_MAX + 1];
        (1..=3).for_each(|_| push(&mut window, &Header::default(), &value));
        let mut out = Vec::new();
        let len = frame::frame_len(value.len());
        window.fill(len + 1, &mut out);
        assert_eq!(
            (out.len(), window.is_written()),
            (2 * len, false),
            "whole frames, until there are enough"
        );
        assert_eq!((window.acknowledge(1), window.acknowledge(1)), (1, 0));
        assert_eq!(window.rewind(), 1, "the second was written and is not acknowledged");
        window.shrink();
        assert_eq!(written(&mut window, 1 << 20), [(2, 0, 0, value.len()), (3, 0, 0, value.len())]);
        assert_eq!((window.last(), window.len(), window.bytes()), (3, 2, 2 * len));
        assert_eq!((window.acknowledge(3), window.bytes()), (2, 0));
        push(&mut window, &Header::default(), &value);
        assert_eq!((window.reset(), window.last()), (1, 0));
    }

    #[test]
    fn messages_in_a_row_go_into_one_frame_unless_its_entries_cannot_say_what_they_are() {
        let at = |publish_ns| Header { publish_ns, type_id: 7, version: 7, root_len: 1, ..Header::default() };
        let mut window = Window::default();
        push(&mut window, &at(10), &[1; 5]);
        push(&mut window, &Header { type_id: 9, version: 9, ..at(10) }, &[2; 8]);
        push(&mut window, &at(10 + i64::from(u32::MAX)), &[3; 24]);
        let all = [(1, 7, 10, 5), (2, 9, 10, 8), (3, 7, 4_294_967_305, 24)];
        assert_eq!((window.frames.len(), window.len(), window.bytes()), (1, 3, 64 + 24 + 24 + 40));
        assert_eq!((written(&mut window, 1 << 20), window.rewind()), (all.to_vec(), 3));
        assert_eq!((window.acknowledge(2), window.len(), window.last()), (2, 1, 3));
        assert_eq!((written(&mut window, 1 << 20), window.rewind()), (all.to_vec(), 3), "as a whole");
        // Nothing is added to what was written or acknowledged.
        push(&mut window, &at(11), &[4]);
        assert_eq!((window.frames.len(), window.acknowledge(4), window.bytes()), (2, 2, 0));
        let traced = Header { span_id: [1; 8], ..at(12) };
        let (early, late) = (at(5), at(5 + (1 << 32)));
        let addressed = Header { destination: 1, ..late };
        for header in [at(10), early, late, traced, at(13), addressed, at(14)] {
            push(&mut window, &header, &[5]);
        }
        assert_eq!((window.frames.len(), window.last()), (7, 11), "each has a frame of its own");
        let times = written(&mut window, 1 << 20).into_iter().map(|(_, _, time, _)| time);
        assert_eq!(times.collect::<Vec<_>>(), [10, 5, 5 + (1 << 32), 12, 13, 5 + (1 << 32), 14]);
    }

    #[test]
    fn a_run_has_a_bound_and_one_that_the_peer_reads() {
        for (run_max, frames) in [(RUN_BYTES, 2), (usize::MAX, 2), (1 << 10, 13), (24, 150), (0, 150)] {
            let mut window = Window::default();
            (0..150).for_each(|_| window.push(&Header::default(), &[1; 64], run_max).expect("short enough"));
            assert_eq!((window.frames.len(), window.last()), (frames, 150), "{run_max}");
            window.seal();
            let longest = window.frames.iter().map(|frame| frame.len as usize - HEADER_LEN).max();
            assert!(longest <= Some(run_max.clamp(64, RUN_BYTES)), "{longest:?} of {run_max}");
        }
    }

    #[test]
    fn a_frame_that_is_written_in_part_stays_until_all_of_it_is() {
        let value = [9; RUN_VALUE_MAX + 1];
        let len = frame::frame_len(value.len());
        for (cut, acked) in [(1, 1), (len - 1, 1), (len + 1, 2), (2 * len - 1, 3), (2 * len, 3)] {
            let mut window = Window::default();
            (1..=3).for_each(|_| push(&mut window, &Header::default(), &value));
            let mut wire = window.unwritten(1 << 20)[..cut].to_vec();
            window.wrote(cut);
            assert_eq!(window.is_mid_frame(), !cut.is_multiple_of(len), "{cut}");
            // The peer has got them on the connection before.
            assert_eq!((window.acknowledge(acked), window.len()), (acked, 3 - acked));
            // More comes meanwhile, and the frames move.
            push(&mut window, &Header { type_id: 4, ..Header::default() }, &value);
            while !window.unwritten(1).is_empty() {
                wire.push(window.unwritten(1)[0]);
                window.wrote(1);
            }
            let (mut rest, mut seen) = (&wire[..], Vec::new());
            while !rest.is_empty() {
                let frame = frame::parse(rest, 1 << 20, false).expect("no frame ends in another one");
                seen.push(frame.header.sequence);
                rest = &rest[len..];
            }
            // A frame that is acknowledged before it is begun is not written.
            let begun = cut.div_ceil(len) as u64;
            let due: Vec<u64> = (1..=4).filter(|n| *n > acked || *n <= begun).collect();
            assert_eq!((seen, window.is_written()), (due, true), "{cut}");
            let left = 4 - acked;
            assert_eq!((window.len(), window.bytes(), window.rewind()), (left, left as usize * len, left));
            assert_eq!((window.acknowledge(4), window.bytes()), (left, 0));
        }
    }

    #[test]
    fn padding_is_zero_wherever_other_bytes_have_been() {
        let mut window = Window::default();
        let plain = Header { type_id: 7, version: 7, root_len: 1, ..Header::default() };
        for _ in 0..20 {
            (0..30).for_each(|_| push(&mut window, &plain, &[0xff; 64]));
            let last = window.last();
            assert_eq!(window.acknowledge(last), 30);
            (0..30).for_each(|n| push(&mut window, &plain, &[0xff; 13][..1 + n % 13]));
            assert_eq!(written(&mut window, 1 << 20).len(), 30, "parsed, with its padding");
            let last = window.last();
            window.acknowledge(last);
        }
        let kept = window.bytes.capacity();
        window.shrink();
        assert!(kept <= 4 * 30 * 80 + 64 && window.bytes.capacity() <= KEEP_BYTES, "{kept}");
    }
}
