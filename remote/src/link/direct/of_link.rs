//! What a host does with the mailboxes of a link.

use super::{
    Control, ENVELOPE_LEN, Envelope, Failure, Fields, Flags, Header, Link, LinkFault, MAILBOX_LEN_MAX,
    MAILBOXES_MAX, MailboxState, Mailboxes, NUMBERS_MAX, Outbox, Output, Question, SendError, Served, Taken,
};

impl Link {
    /// A control frame about a mailbox has come.
    pub(in crate::link) fn of_mailbox(
        &mut self,
        control: Control,
        header: &Header,
        fields: Fields<'_>,
    ) -> Result<Output, LinkFault> {
        match control {
            Control::Open => self.mailboxes.opened(fields),
            Control::Close => {
                self.tells = true;
                self.mailboxes.close(fields)
            }
            Control::Closed => self.mailboxes.is_closed(fields),
            _ => {
                let is_late = self.words.is_late(header);
                self.mailboxes.described(fields, is_late)
            }
        }
    }

    /// Opens the mailbox of this name at the peer, now or when there is a connection: its number. The peer's
    /// answer is [`Output::Mailboxes`]. It stays open until it is [closed](Self::close).
    ///
    /// # Errors
    /// The name is empty or longer than [`MAILBOX_LEN_MAX`], or [`MAILBOXES_MAX`] are open. Or it, or one of
    /// so many, is closed and the peer has not said yet that it knows: it may be opened after
    /// [`Output::Mailboxes`].
    pub fn open(&mut self, name: &str) -> Result<u32, SendError> {
        let Mailboxes { out, next, .. } = &mut self.mailboxes;
        if let Some((number, of)) = out.iter().find(|(_, of)| &*of.name == name) {
            return if of.closing { Err(SendError::Mailbox) } else { Ok(*number) };
        }
        let is_name = (1..=MAILBOX_LEN_MAX).contains(&name.len());
        if out.len() >= MAILBOXES_MAX || *next >= NUMBERS_MAX || !is_name {
            return Err(SendError::Mailbox);
        }
        let (number, state) = (*next, MailboxState::Unknown);
        *next += 1;
        let (sent, limit, last) = (0, 0, 0);
        let (closing, tell, news) = (false, true, false);
        out.insert(number, Outbox { name: name.into(), closing, state, sent, limit, last, tell, news });
        self.tells = true;
        Ok(number)
    }

    /// Closes a mailbox of the peer, to which nothing is sent any more: there is room for another one when
    /// the peer has said that it knows. `false`: not yet, as the peer has not acknowledged what was sent
    /// there.
    pub fn close(&mut self, mailbox: u32) -> bool {
        let acknowledged = self.window.last() - self.window.len();
        let of = self.mailboxes.out.get_mut(&mailbox);
        let Some(of) = of.filter(|of| !of.closing && of.last <= acknowledged) else { return false };
        (of.closing, of.tell, of.state) = (true, true, MailboxState::Unknown);
        self.tells = true;
        true
    }

    /// What the peer has said of a mailbox.
    #[must_use]
    pub fn mailbox(&self, number: u32) -> &MailboxState {
        self.mailboxes.out.get(&number).map_or(&MailboxState::Unknown, |of| &of.state)
    }

    /// The mailboxes of which the peer has said something else than when this was called last.
    pub fn take_news(&mut self) -> Vec<u32> {
        let news = std::mem::take(&mut self.mailboxes.news);
        for number in &news {
            self.mailboxes.out.get_mut(number).into_iter().for_each(|of| of.news = false);
        }
        news
    }

    /// How many messages a mailbox takes now, the window aside.
    #[must_use]
    pub fn mailbox_credit(&self, number: u32) -> u64 {
        self.mailboxes.out.get(&number).map_or(0, |of| of.limit.saturating_sub(of.sent))
    }

    /// Tells the actor behind a mailbox of the peer. Errors and promises are those of [`send`](Self::send).
    ///
    /// # Errors
    /// It was not taken.
    pub fn tell(&mut self, mailbox: u32, header: &Header, value: &[u8]) -> Result<(), SendError> {
        self.post(mailbox, header, value, Envelope::Tell { mailbox })
    }

    /// Asks the actor behind a mailbox of the peer: the number of the question. There comes one
    /// [`Answer`](crate::link::Direct::Answer) or [`Failed`](crate::link::Direct::Failed) with it, unless the
    /// peer turns out to be another process
    /// ([`PeerRestarted`](crate::link::AttachError::PeerRestarted)): then there comes none of all that were
    /// asked before.
    ///
    /// # Errors
    /// It was not taken.
    pub fn ask(
        &mut self,
        mailbox: u32,
        limit_ns: Option<u64>,
        header: &Header,
        value: &[u8],
    ) -> Result<u64, SendError> {
        let ask = self.mailboxes.last_ask + 1;
        self.post(mailbox, header, value, Envelope::Ask { mailbox, ask, limit_ns })?;
        self.mailboxes.last_ask = ask;
        self.mailboxes.asks.insert(ask);
        Ok(ask)
    }

    /// Nobody waits for the answer to this question any more.
    pub fn forget(&mut self, ask: u64) {
        self.mailboxes.asks.remove(&ask);
    }

    fn post(
        &mut self,
        mailbox: u32,
        header: &Header,
        value: &[u8],
        envelope: Envelope,
    ) -> Result<(), SendError> {
        let type_id = header.type_id;
        let asked = matches!(envelope, Envelope::Ask { .. });
        let open = match self.mailbox(mailbox) {
            MailboxState::Open(served) => {
                served.takes.binary_search(&Taken { type_id, asked }).is_ok() && self.is_agreed(type_id)
            }
            MailboxState::Unknown | MailboxState::Absent => false,
        };
        if !open {
            return Err(SendError::NotWanted { type_id });
        }
        if self.mailbox_credit(mailbox) == 0 {
            return Err(SendError::NoCredit { type_id });
        }
        self.push_direct(header, value, envelope)?;
        if let Some(of) = self.mailboxes.out.get_mut(&mailbox) {
            (of.sent, of.last) = (of.sent + 1, self.window.last());
        }
        Ok(())
    }

    /// Answers a question of the peer. One of an earlier incarnation of the peer has no answer any more:
    /// `Ok`.
    ///
    /// # Errors
    /// It was not taken. After [`SendError::Full`] it may be tried again; after another one
    /// [`fail`](Self::fail) tells the peer.
    pub fn answer(&mut self, question: Question, header: &Header, value: &[u8]) -> Result<(), SendError> {
        if question.end == self.end {
            let type_id = header.type_id;
            if !self.is_agreed(type_id) {
                return Err(SendError::NotWanted { type_id });
            }
            self.push_direct(header, value, Envelope::Answer { ask: question.ask })?;
        }
        self.delivered(question.place, 1);
        Ok(())
    }

    /// Says that there will be no answer to a question of the peer.
    ///
    /// # Errors
    /// [`SendError::Full`]: to be tried again.
    pub fn fail(&mut self, question: Question, failure: Failure) -> Result<(), SendError> {
        if question.end == self.end {
            self.push_direct(&Header::default(), &[], Envelope::Failed { ask: question.ask, failure })?;
        }
        self.delivered(question.place, 1);
        Ok(())
    }

    fn push_direct(&mut self, header: &Header, value: &[u8], envelope: Envelope) -> Result<(), SendError> {
        self.room(value.len() + ENVELOPE_LEN)?;
        let header = Header { flags: Flags::DIRECT, sequence: self.window.last() + 1, ..*header };
        self.window.push_direct(&header, value, &envelope.bytes()).map_err(SendError::Encode)?;
        self.stats.sent += 1;
        Ok(())
    }

    /// The mailboxes that the peer has opened here, each with its place and its name. A host says who is
    /// there with [`serve`](Self::serve).
    pub fn served(&self) -> impl Iterator<Item = (usize, &str)> {
        let inboxes = self.mailboxes.inboxes.iter().enumerate();
        let open = inboxes.filter(|(_, inbox)| inbox.number.is_some() && !inbox.closing);
        open.map(|(place, inbox)| (place, &*inbox.name))
    }

    /// Those of them of which the host has said nothing since the peer has opened them.
    pub fn opened(&self) -> impl Iterator<Item = (usize, &str)> {
        self.served().filter(|(place, _)| !self.mailboxes.inboxes[*place].described)
    }

    /// The name of the mailbox at this place.
    #[must_use]
    pub fn served_name(&self, place: usize) -> Option<&str> {
        self.mailboxes.inboxes.get(place).map(|inbox| &*inbox.name)
    }

    /// Says who is behind a mailbox that the peer has opened; `None`: nobody. The peer is told if it does
    /// not know yet. A kind that is taken is not looked at again when a message comes; there may be
    /// [`TAKES_MAX`](crate::link::TAKES_MAX) kinds.
    pub fn serve(&mut self, place: usize, served: Option<Served>) {
        let credit = self.config.credit;
        let Some(inbox) = self.mailboxes.inboxes.get_mut(place) else { return };
        if inbox.number.is_none() || inbox.closing || inbox.described && inbox.served == served {
            return;
        }
        (inbox.served, inbox.described, inbox.tell) = (served, true, true);
        inbox.grant(credit);
        self.tells = true;
    }

    /// So many messages of the mailbox at this place were consumed: they wait nowhere for room any more.
    /// Questions are consumed when they are answered.
    pub fn delivered(&mut self, place: usize, count: u64) {
        let credit = self.config.credit;
        let Some(inbox) = self.mailboxes.inboxes.get_mut(place) else { return };
        inbox.consumed += count.min(inbox.unconsumed()) as i64;
        if !inbox.closing {
            inbox.grant(credit);
        }
        self.tells |= inbox.tell | self.mailboxes.end_closed(place);
    }
}
