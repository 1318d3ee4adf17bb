//! The trees of an isolate, and which of them are to be tended: a report costs a look at its own tree,
//! however many there are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::IsolateCore;
use crate::isolate::bounds::Over;
use crate::isolate::tree::TreeRun;

/// The numbers of trees that are to be tended, and of those that have ended since the last time.
#[derive(Default)]
pub(crate) struct TreeCalls {
    told: RefCell<BTreeSet<u64>>,
    ended: RefCell<Vec<u64>>,
}

impl TreeCalls {
    /// Something was reported to the supervisors of this tree.
    pub(crate) fn tell(&self, number: u64) {
        self.told.borrow_mut().insert(number);
    }

    /// This tree has ended, which is said of it once.
    pub(crate) fn end(&self, number: u64) {
        self.ended.borrow_mut().push(number);
    }

    fn any(&self) -> bool {
        !self.told.borrow().is_empty() || !self.ended.borrow().is_empty()
    }
}

/// What stands under the numbers of trees.
pub(super) struct TreeTable<T> {
    trees: RefCell<BTreeMap<u64, Rc<T>>>,
    pub(super) calls: Rc<TreeCalls>,
}

impl<T> Default for TreeTable<T> {
    fn default() -> Self {
        Self { trees: RefCell::default(), calls: Rc::default() }
    }
}

impl<T> TreeTable<T> {
    fn add(&self, number: u64, tree: Rc<T>) {
        self.trees.borrow_mut().insert(number, tree);
        // It begins with what it tells itself.
        self.calls.tell(number);
    }

    /// All of them, the eldest first.
    fn all(&self) -> Vec<Rc<T>> {
        self.trees.borrow().values().cloned().collect()
    }

    /// Empties it for good.
    pub(super) fn take(&self) -> impl Iterator<Item = Rc<T>> + use<T> {
        self.calls.told.take();
        self.calls.ended.take();
        self.trees.take().into_values()
    }

    /// Has each tree that was told something deal with it, the eldest first. `tend` says whether something is
    /// left to be told; a tree over which it panics is told it again.
    fn tend<E>(&self, mut tend: impl FnMut(&T) -> Result<bool, E>) -> Result<(), E> {
        let mut from = 0;
        loop {
            let told = self.calls.told.borrow().range(from..).next().copied();
            let Some(number) = told else { return Ok(()) };
            let tree = self.trees.borrow().get(&number).cloned();
            let is_told = match tree {
                Some(tree) => tend(&tree)?,
                None => false,
            };
            if !is_told {
                self.calls.told.borrow_mut().remove(&number);
            }
            from = number + 1;
        }
    }

    /// Takes those out that have ended.
    fn take_ended(&self) -> Vec<Rc<T>> {
        let ended = self.calls.ended.take();
        let mut trees = self.trees.borrow_mut();
        ended.iter().filter_map(|number| trees.remove(number)).collect()
    }
}

impl IsolateCore {
    fn tree_table(&self) -> &TreeTable<TreeRun> {
        self.trees.get_or_init(Box::default)
    }

    pub(crate) fn add_tree(&self, tree: Rc<TreeRun>) {
        self.tree_table().add(tree.number(), Rc::clone(&tree));
        self.add_feed(tree);
    }

    pub(crate) fn trees(&self) -> Vec<Rc<TreeRun>> {
        self.trees.get().map(|trees| trees.all()).unwrap_or_default()
    }

    /// Where trees say that they are to be tended.
    pub(crate) fn tree_calls(&self) -> &Rc<TreeCalls> {
        &self.tree_table().calls
    }

    /// Lets the supervisors deal with what was reported to them; those that have ended are forgotten.
    ///
    /// # Errors
    /// The run is over, and something is still reported.
    #[cold]
    pub(crate) fn tend_trees(&self) -> Result<(), Over> {
        let Some(trees) = self.trees.get() else { return Ok(()) };
        trees.tend(|tree| {
            tree.tend_in_loop(self);
            let is_told = tree.is_told();
            if is_told {
                // Only where the run is over, as it said then.
                self.look()?;
            }
            Ok(is_told)
        })?;
        for tree in trees.take_ended() {
            self.remove_feed(&*tree);
        }
        Ok(())
    }

    /// Whether a tree is to be tended, or to be forgotten.
    pub(crate) fn has_told_trees(&self) -> bool {
        self.trees.get().is_some_and(|trees| trees.calls.any())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn table(trees: u64) -> TreeTable<u64> {
        let table = TreeTable::default();
        (0..trees).for_each(|number| table.add(number, Rc::new(number)));
        assert_eq!(tended(&table), (0..trees).collect::<Vec<_>>(), "each begins");
        table
    }

    fn tended(table: &TreeTable<u64>) -> Vec<u64> {
        let looks = RefCell::new(Vec::new());
        let Ok(()) = table.tend::<Infallible>(|number| {
            looks.borrow_mut().push(*number);
            Ok(false)
        });
        looks.take()
    }

    #[test]
    fn a_report_costs_one_look_however_many_trees_there_are() {
        for trees in [10, 1_000] {
            let table = table(trees);
            for number in (0..trees).rev() {
                table.calls.tell(number);
                table.calls.tell(number);
                assert_eq!(tended(&table), [number]);
            }
            table.calls.end(3);
            table.calls.end(7);
            let ended: Vec<_> = table.take_ended().into_iter().map(|tree| *tree).collect();
            assert_eq!((ended, table.all().len() as u64), (vec![3, 7], trees - 2));
            assert!(!table.calls.any());
        }
    }

    #[test]
    fn a_tree_that_is_told_meanwhile_has_its_turn_in_the_order_of_the_trees() {
        let (table, looks) = (table(10), RefCell::new(Vec::new()));
        table.calls.tell(5);
        let tend = |number: &u64| {
            looks.borrow_mut().push(*number);
            if *number == 5 {
                table.calls.tell(2);
                table.calls.tell(8);
            }
            Ok::<_, Infallible>(false)
        };
        let Ok(()) = table.tend(tend);
        assert_eq!(*looks.borrow(), [5, 8], "the next look is for the elder one");
        assert_eq!(tended(&table), [2]);
    }

    #[test]
    fn a_tree_that_is_not_done_is_told_again_and_so_is_one_that_panics_or_ends_the_run() {
        let (table, left) = (table(3), Cell::new(2));
        table.calls.tell(1);
        let tend = |_: &u64| Ok::<_, Infallible>(left.replace(left.get() - 1) > 1);
        while table.calls.any() {
            let Ok(()) = table.tend(tend);
        }
        assert_eq!(left.get(), 0);
        table.calls.tell(1);
        table.calls.tell(2);
        assert_eq!(table.tend(|_| Err("over")), Err("over"));
        let panics = || table.tend::<Infallible>(|_| panic!("told to"));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(tended(&table), [1, 2]);
    }
}
