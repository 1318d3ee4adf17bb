//! Who is alive on a bus: a list with a seat for each, so that coming and going costs a few instructions.

use std::sync::{Arc, PoisonError};

use super::address::Member;
use super::lookout::Wait;
use crate::ActorId;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Notify, Ordering};

/// Everybody on a bus who has not ended.
///
/// A member gives its seat back before others are told of its end. **Sync point "left or told"**: a shutdown
/// looks at the list and then at `leaving`, and a member is in one of the two until it is said to have ended.
/// It sets `is_awaited` before it looks, and a member looks there after it has left `leaving`, all `SeqCst`:
/// so one of the two sees the other.
#[derive(Default)]
pub(crate) struct Members {
    list: Mutex<List>,
    /// How many leave, and have not said that they have ended.
    leaving: AtomicUsize,
    is_awaited: AtomicBool,
    have_told: Notify,
}

/// Somebody leaves: dropped when others were told of the end.
pub(crate) struct Leaving<'a>(&'a Members);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let was_last = self.0.leaving.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && self.0.is_awaited.load(Ordering::SeqCst) {
            self.0.have_told.notify_waiters();
        }
    }
}

/// Where a member sits: given at its start, and given back once at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberSeat(usize);

#[derive(Default)]
struct List {
    places: Vec<MemberPlace>,
    /// The free place to be taken next; `places.len()` when there is none.
    free: usize,
    alive: usize,
    /// With so few alive, the memory of those who have left is looked at.
    sweep_at: usize,
}

/// A list with no more places than this is left as it is (places).
const KEEP_PLACES: usize = 256;

enum MemberPlace {
    Taken(Arc<dyn Member>),
    /// The next free place.
    Free(usize),
}

impl List {
    /// Gives back the places behind the last one that is taken: who still sits there keeps the seat.
    #[cold]
    fn sweep(&mut self) {
        self.sweep_at = self.alive / 4;
        let last = self.places.iter().rposition(|place| matches!(place, MemberPlace::Taken(_)));
        self.places.truncate(last.map_or(0, |last| last + 1));
        self.places.shrink_to_fit();
        self.free = self.places.len();
        for at in (0..self.places.len()).rev() {
            if let MemberPlace::Free(next) = &mut self.places[at] {
                *next = std::mem::replace(&mut self.free, at);
            }
        }
    }
}

impl Members {
    pub(crate) fn add(&self, member: Arc<dyn Member>) -> MemberSeat {
        let mut guard = self.lock();
        let list = &mut *guard;
        let seat = list.free;
        match list.places.get_mut(seat) {
            Some(place) => {
                if let MemberPlace::Free(next) = std::mem::replace(place, MemberPlace::Taken(member)) {
                    list.free = next;
                }
            }
            None => {
                list.places.push(MemberPlace::Taken(member));
                list.free = list.places.len();
            }
        }
        list.alive += 1;
        list.sweep_at = list.sweep_at.max(list.alive / 4);
        MemberSeat(seat)
    }

    /// Returns the member, for the caller to drop where it holds no lock; `None` if it has left its seat
    /// before.
    pub(crate) fn remove(&self, seat: MemberSeat, id: ActorId) -> Option<Arc<dyn Member>> {
        let mut guard = self.lock();
        let list = &mut *guard;
        let place = list.places.get_mut(seat.0)?;
        // An end may be told twice, and the seat may be another's by then.
        if !matches!(place, MemberPlace::Taken(member) if member.id() == id) {
            return None;
        }
        let MemberPlace::Taken(member) = std::mem::replace(place, MemberPlace::Free(list.free)) else {
            return None;
        };
        list.free = seat.0;
        list.alive -= 1;
        if list.alive == 0 {
            // After a crowd has left, its memory goes too.
            list.places = Vec::new();
            list.free = 0;
        } else if list.alive <= list.sweep_at && list.places.len() > KEEP_PLACES {
            list.sweep();
        }
        Some(member)
    }

    /// To be called before [`remove`](Self::remove), for as long as others are not told of the end.
    pub(crate) fn leaves(&self) -> Leaving<'_> {
        self.leaving.fetch_add(1, Ordering::SeqCst);
        Leaving(self)
    }

    /// Ready when all that have left before have told others of their ends.
    pub(crate) async fn all_have_told(&self) {
        self.is_awaited.store(true, Ordering::SeqCst);
        loop {
            let have_told = self.have_told.notified();
            if self.leaving.load(Ordering::SeqCst) == 0 {
                return;
            }
            have_told.await;
        }
    }

    /// Who has this id. It looks at everybody.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<dyn Member>> {
        let list = self.lock();
        let found = list.places.iter().find_map(|place| match place {
            MemberPlace::Taken(member) if member.id().get() == id => Some(Arc::clone(member)),
            MemberPlace::Taken(_) | MemberPlace::Free(_) => None,
        });
        drop(list);
        found
    }

    pub(crate) fn alive(&self) -> usize {
        self.lock().alive
    }

    /// Whose code waits for something that the lookout knows of.
    pub(crate) fn waiting(&self) -> Vec<Arc<dyn Member>> {
        let list = self.lock();
        let taken = list.places.iter().filter_map(|place| match place {
            MemberPlace::Taken(member) if member.waits().0 != Wait::Nothing => Some(Arc::clone(member)),
            MemberPlace::Taken(_) | MemberPlace::Free(_) => None,
        });
        taken.collect()
    }

    /// Everybody, the youngest first.
    pub(crate) fn youngest_first(&self) -> Vec<Arc<dyn Member>> {
        let list = self.lock();
        let taken = list.places.iter().filter_map(|place| match place {
            MemberPlace::Taken(member) => Some(Arc::clone(member)),
            MemberPlace::Free(_) => None,
        });
        let mut all: Vec<_> = taken.collect();
        drop(list);
        all.sort_by_key(|member| std::cmp::Reverse(member.id()));
        all
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StopReason;
    use crate::live::address::Work;
    use crate::sync::SetOnce;

    struct Anybody(u64, SetOnce<StopReason>);
    impl Member for Anybody {
        fn id(&self) -> ActorId {
            ActorId(self.0)
        }
        fn path(&self) -> Option<Arc<str>> {
            None
        }
        fn name(&self) -> &'static str {
            "anybody"
        }
        fn stop(&self, _: mycelium_mailbox::Stop) {}
        fn kill(&self) {}
        fn ended(&self) -> &SetOnce<StopReason> {
            &self.1
        }
        fn pulse(&self) -> crate::live::Pulse {
            crate::live::Pulse { beats: 0, rests: true, hand: None }
        }
        fn abort(&self, _: &str, _: Option<u64>) {}
        fn work(&self) -> Work {
            Work::Busy
        }
    }

    #[test]
    fn seats_are_taken_again_and_the_youngest_come_first() {
        let members = Members::default();
        let add = |id| members.add(Arc::new(Anybody(id, SetOnce::new())));
        let ids = || members.youngest_first().iter().map(|member| member.id().get()).collect::<Vec<_>>();
        let seats = [1, 2, 3].map(add);
        let remove = |seat, id| members.remove(seat, ActorId(id)).map(|member| member.id());
        assert_eq!(remove(seats[0], 1), Some(ActorId(1)));
        assert_eq!(remove(seats[1], 2), Some(ActorId(2)));
        assert_eq!(remove(seats[1], 2), None, "given back once");
        let again = [4, 5, 6].map(add);
        assert_eq!(remove(seats[1], 2), None, "it is another's seat now");
        assert_eq!((ids(), members.alive()), (vec![6, 5, 4, 3], 4));
        assert_eq!(members.lock().places.len(), 4);
        for (seat, id) in again.into_iter().chain([seats[2]]).zip([4, 5, 6, 3]) {
            assert_eq!(remove(seat, id), Some(ActorId(id)));
        }
        assert_eq!((ids(), members.alive(), members.lock().places.capacity()), (vec![], 0, 0));
    }

    #[test]
    fn who_looks_for_all_finds_each_in_the_list_or_waits_until_its_end_is_told() {
        use std::future::Future as _;
        use std::pin::pin;
        use std::task::{Context, Waker};

        let members = Members::default();
        let (anybody, other) = (Arc::new(Anybody(1, SetOnce::new())), Arc::new(Anybody(2, SetOnce::new())));
        let seats = [members.add(Arc::clone(&anybody) as _), members.add(Arc::clone(&other) as _)];
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(members.all_have_told()).poll(&mut cx).is_ready(), "both are in the list");
        let leaving = [members.leaves(), members.leaves()];
        drop([members.remove(seats[0], ActorId(1)), members.remove(seats[1], ActorId(2))]);
        assert_eq!(members.youngest_first().len(), 0);
        let mut told = pin!(members.all_have_told());
        assert!(told.as_mut().poll(&mut cx).is_pending());
        let [first, second] = leaving;
        anybody.1.set(StopReason::Normal);
        drop(first);
        assert!(told.as_mut().poll(&mut cx).is_pending(), "the other one has not told");
        other.1.set(StopReason::Normal);
        drop(second);
        assert!(told.as_mut().poll(&mut cx).is_ready());
    }

    #[tokio::test]
    async fn a_shutdown_waits_for_the_end_of_one_who_has_just_left() {
        use std::future::Future as _;
        use std::task::{Context, Waker};

        let bus = crate::MessageBus::new();
        let core = Arc::clone(&bus.core);
        let (anybody, id) = (Arc::new(Anybody(1, SetOnce::new())), ActorId(1));
        let seat = core.add(&(Arc::clone(&anybody) as _)).unwrap();
        let mut shutdown = Box::pin(async move { bus.shutdown().await });
        core.leave(seat, id, None, || {
            assert_eq!(core.members.youngest_first().len(), 0, "its name and place are free");
            for _ in 0..3 {
                let polled = shutdown.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending(), "nobody was told of the end");
            }
            anybody.1.set(StopReason::Normal);
        });
        shutdown.await.unwrap();
    }

    #[test]
    fn who_stays_keeps_the_seat_when_a_crowd_has_left() {
        let members = Members::default();
        let add = |id| (id, members.add(Arc::new(Anybody(id, SetOnce::new()))));
        let mut all: Vec<_> = (1..=4_000).map(add).collect();
        // Of every crowd, some stay: at the front, in the middle and at the end.
        for (round, stay) in [(1, 3_u64), (2, 501), (3, 2_999), (4, 3_999)] {
            let (stays, leaves): (Vec<_>, Vec<_>) =
                all.drain(..).partition(|(id, _)| id % 1_000 == stay % 1_000);
            for (id, seat) in leaves {
                assert_eq!(members.remove(seat, ActorId(id)).map(|member| member.id().get()), Some(id));
            }
            assert!(members.lock().places.len() <= 4_000, "round {round}");
            let again = (1..=1_000).map(|n| add(round * 10_000 + n));
            all.extend(stays.into_iter().chain(again));
            let mut ids: Vec<_> = all.iter().map(|(id, _)| *id).collect();
            ids.sort_by_key(|id| std::cmp::Reverse(*id));
            let seen: Vec<_> = members.youngest_first().iter().map(|member| member.id().get()).collect();
            assert_eq!(seen, ids);
        }
        let (last, leaves) = all.split_first().unwrap();
        for (id, seat) in leaves {
            assert!(members.remove(*seat, ActorId(*id)).is_some());
        }
        assert_eq!(members.alive(), 1);
        assert!(members.remove(last.1, ActorId(last.0)).is_some());
    }
}
