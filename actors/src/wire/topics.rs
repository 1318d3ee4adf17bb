//! Which topics somebody listens to in bytes.

use crate::SpawnError;

use super::{Known, Table};

/// Topics by their names: one, a list, or all whose names begin alike. A name that ends with `*` stands for
/// all topics that begin with what is before it; `*` alone for every topic.
///
/// They are looked for among the messages of the contracts that the bus was given; a topic may carry several
/// of them.
///
/// ```
/// use mycelium::WireTopics;
///
/// let one: WireTopics = "market.bars".into();
/// let list: WireTopics = ["market.bars", "orders.*"].into();
/// assert!(list.takes("orders.new") && !one.takes("orders.new") && WireTopics::all().takes("orders.new"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireTopics {
    names: Vec<String>,
    /// The type ids of the messages that are wanted; `None` for all.
    only: Option<Vec<u16>>,
}

impl WireTopics {
    /// Every topic of the bus's contracts.
    #[must_use]
    pub fn all() -> Self {
        Self::named(vec!["*".to_owned()])
    }

    /// Of these topics, only the messages with these type ids: the others take no room in the queue. Each of
    /// them must be on one of the topics.
    ///
    /// ```
    /// use mycelium::WireTopics;
    ///
    /// let bars: WireTopics = WireTopics::from("market.*").only([100]);
    /// assert!(bars.takes("market.bars"));
    /// ```
    #[must_use]
    pub fn only(mut self, type_ids: impl IntoIterator<Item = u16>) -> Self {
        self.only = Some(type_ids.into_iter().collect());
        self
    }

    fn named(names: Vec<String>) -> Self {
        Self { names, only: None }
    }

    /// Whether the topic of this name is among them.
    #[must_use]
    pub fn takes(&self, topic: &str) -> bool {
        self.names.iter().any(|name| takes(name, topic))
    }

    /// Which of the messages in `table` go there, by rising type id.
    pub(crate) fn among(&self, table: &Table) -> Result<Vec<usize>, SpawnError> {
        let known = table.known();
        let unknown = |name: &&String| !known.iter().any(|known| takes(name, known.kind.topic));
        if let Some(name) = self.names.iter().find(unknown) {
            return Err(SpawnError::UnknownTopic { topic: name.clone() });
        }
        let matching = self.matching(table);
        let missing = |id: &&u16| !matching.iter().any(|at| known[*at].kind.type_id == **id);
        if let Some(id) = self.only.iter().flatten().find(missing) {
            let topic = format!("{} (type id {id})", self.names.join(", "));
            return Err(SpawnError::UnknownTopic { topic });
        }
        Ok(matching)
    }

    /// The same for one who leaves them, whatever else is asked for.
    pub(crate) fn matching(&self, table: &Table) -> Vec<usize> {
        let known = table.known();
        let named = |id: u16| self.only.as_ref().is_none_or(|only| only.contains(&id));
        let matches = |known: &Known| self.takes(known.kind.topic) && named(known.kind.type_id);
        (0..known.len()).filter(|at| matches(&known[*at])).collect()
    }
}

fn takes(name: &str, topic: &str) -> bool {
    name.strip_suffix('*').map_or(name == topic, |start| topic.starts_with(start))
}

impl From<&str> for WireTopics {
    fn from(topic: &str) -> Self {
        Self::named(vec![topic.to_owned()])
    }
}

impl From<String> for WireTopics {
    fn from(topic: String) -> Self {
        Self::named(vec![topic])
    }
}

impl<S: Into<String>> From<Vec<S>> for WireTopics {
    fn from(topics: Vec<S>) -> Self {
        Self::named(topics.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for WireTopics {
    fn from(topics: [S; N]) -> Self {
        Self::named(topics.into_iter().map(Into::into).collect())
    }
}

impl From<&[&str]> for WireTopics {
    fn from(topics: &[&str]) -> Self {
        Self::named(topics.iter().map(|topic| (*topic).to_owned()).collect())
    }
}
