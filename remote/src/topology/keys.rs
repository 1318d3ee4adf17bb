//! The keys of a topology.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mycelium_toml::{Content, Document, Fields, Mistake, Place, Value, suggestion};

use super::check;
use super::host::Host;
use super::pairs;
use super::variables::{OwnVariable, Variables};
use super::{
    EndpointKind, Given, LinkRule, MONOLITH, Mode, NODES_MAX, QUEUE_MAX, QueuePolicy, QueueRule,
    RING_KIB_MAX, RING_KIB_MIN, SERVICES_MAX, SPIN_MAX, TOPICS_MAX, TOPOLOGY_BYTES_MAX, Topology,
    TopologyNode, TreeFile,
};
use crate::link::{NAME_LEN_MAX, is_name};

const FILE_KEYS: &[&str] = &["socket_dir", "variables", "deployment", "defaults", "nodes", "links", "topics"];
const DEPLOYMENT_KEYS: &[&str] = &["mode", "plaintext", "tls", "command"];
const NODE_KEYS: &[&str] =
    &["name", "services", "tree", "host", "bind", "port", "endpoint", "command", "env"];
const ENDPOINT_KEYS: &[&str] = &["kind", "path"];
const DEFAULT_KEYS: &[&str] = &["overflow", "capacity", "hold_ms", "spin_us", "ring_kib"];
const LINK_KEYS: &[&str] = &["between", "linked", "overflow", "capacity", "hold_ms", "spin_us", "ring_kib"];
/// Those that mean something for shared memory alone.
const SHM_KEYS: [&str; 2] = ["spin_us", "ring_kib"];
const TOPIC_KEYS: &[&str] = &["overflow", "capacity"];

const MODES: &[(&str, Mode)] =
    &[("monolith", Mode::Monolith), ("bundled", Mode::Bundled), ("distributed", Mode::Distributed)];
const POLICIES: &[(&str, QueuePolicy)] = &[
    ("block", QueuePolicy::Block),
    ("drop_oldest", QueuePolicy::DropOldest),
    ("drop_newest", QueuePolicy::DropNewest),
    ("fail", QueuePolicy::Fail),
];

/// Most arguments of a command, and variables of an environment.
const ARGUMENTS_MAX: usize = 256;
/// So begin the variables by which a process is told which node it is.
const OWN_VARIABLES: &str = "MYCELIUM_";
/// Most rules for links: one for each two nodes.
const LINKS_MAX: usize = NODES_MAX * (NODES_MAX - 1) / 2;

/// What a file says of two nodes.
pub(super) struct Between {
    /// Their numbers, in the order of the file.
    pub(super) nodes: (usize, usize),
    pub(super) linked: bool,
    pub(super) rule: LinkRule,
    /// A key that means something for shared memory alone, and where it stands.
    pub(super) of_shm: Option<(&'static str, Place)>,
}

/// The rules of topics, and where each stands.
type Rules = BTreeMap<Arc<str>, QueueRule>;
type Places = BTreeMap<Arc<str>, Place>;

/// What reading a file needs at each key.
struct Reader<'g> {
    variables: Variables<'g>,
    directory: &'g Path,
    socket_dir: Option<PathBuf>,
    /// What nodes have in their environments.
    own: RefCell<Vec<OwnVariable>>,
}

/// A text with its place.
struct Said {
    text: String,
    place: Place,
}

pub(super) fn topology(text: &str, given: &Given<'_>) -> Result<Topology, Mistake> {
    let document = if text.len() as u64 > TOPOLOGY_BYTES_MAX { "" } else { text };
    let document = Document::parse(document)?;
    if text.len() as u64 > TOPOLOGY_BYTES_MAX {
        let cause = format!("the text has {} bytes, a topology has at most {TOPOLOGY_BYTES_MAX}", text.len());
        return Err(document.root().mistake(cause));
    }
    let file = Fields::document(&document, "the file", FILE_KEYS)?;
    let mut reader = Reader {
        variables: Variables::new(&file, given)?,
        directory: given.directory,
        socket_dir: None,
        own: RefCell::default(),
    };
    reader.socket_dir = reader.path(&file, "socket_dir")?;
    let missing = || {
        file.place().mistake(
            "`[deployment]` is missing: write mode = \"monolith\", \"bundled\" or \"distributed\" there",
        )
    };
    let deployment =
        Fields::new(file.get("deployment").ok_or_else(missing)?, "[deployment]", DEPLOYMENT_KEYS)?;
    let mode = reader.word(&deployment, "mode", MODES)?.ok_or_else(|| deployment.missing("mode"))?;
    let plaintext = deployment.boolean("plaintext")?.unwrap_or(false);
    let tls = reader.path(&deployment, "tls")?;
    if plaintext && tls.is_some() {
        let cause = "`plaintext` says that TCP is not encrypted, and `tls` that it is: take one of both out";
        return Err(deployment.wrong("tls", cause));
    }
    let command = reader.texts(&deployment, "command", ARGUMENTS_MAX)?;
    let command = command.into_iter().map(|said| said.text).collect();
    let mut nodes = Vec::new();
    let mut known = check::Names::default();
    for value in file.list("nodes", NODES_MAX)? {
        let node = reader.node(&Fields::new(value, "[[nodes]]", NODE_KEYS)?, nodes.len(), &mut known)?;
        nodes.push(node);
    }
    known.check()?;
    if mode == Mode::Monolith {
        check::one_environment(&nodes)?;
    }
    if nodes.is_empty() {
        return Err(file
            .place()
            .mistake("there is no node: describe each process in [[nodes]], with its name and services"));
    }
    let defaults = match file.get("defaults") {
        None => LinkRule::default(),
        Some(value) => reader.link_rule(&Fields::new(value, "[defaults]", DEFAULT_KEYS)?)?,
    };
    let mut between = Vec::new();
    for value in file.list("links", LINKS_MAX)? {
        between.push(reader.between(&Fields::new(value, "[[links]]", LINK_KEYS)?, &nodes)?);
    }
    check::unique_links(&between)?;
    let (topics, topic_places) = reader.topics(&file)?;
    reader.variables.agree(&reader.own.borrow())?;
    let between: Vec<Between> = between.into_iter().map(|(between, _)| between).collect();
    let pairs = pairs::of(mode, plaintext || tls.is_some(), &nodes, defaults, &between)?;
    if tls.is_some() && mode != Mode::Monolith {
        check::certificate_names(&nodes)?;
    }
    Ok(Topology { mode, plaintext, tls, command, nodes, topics, topic_places, pairs })
}

impl Reader<'_> {
    fn node(
        &self,
        fields: &Fields<'_>,
        number: usize,
        known: &mut check::Names,
    ) -> Result<TopologyNode, Mistake> {
        let name = self.text(fields, "name")?.ok_or_else(|| fields.missing("name"))?;
        known.node(number, named("name", name)?)?;
        let name = known.last_node();
        let mut services: Vec<Arc<str>> = Vec::new();
        for service in self.texts(fields, "services", SERVICES_MAX)? {
            services.push(known.service(number, named("an entry of `services`", service)?)?);
        }
        let place = fields.get("tree").map_or(fields.place(), Value::place);
        let tree = self.path(fields, "tree")?.map(|path| TreeFile { path, place });
        let host = self.host(fields, "host")?.unwrap_or_else(Host::local);
        if host.is_unspecified() {
            let cause = format!(
                "`host` is \"{}\", which nobody can dial: write the address of the machine, and bind = \"{0}\" to \
                 listen at all of its addresses",
                host.text.trim_matches(['[', ']'])
            );
            return Err(fields.wrong("host", cause));
        }
        let bind = self.host(fields, "bind")?;
        let port = self.number(fields, "port", 65_535)?;
        let (kind, socket) = self.endpoint(fields, &name)?;
        if kind == EndpointKind::Tcp && port.is_none() {
            let cause =
                format!("`{name}` is to listen at TCP and has no port: write port = 7000, or another one");
            return Err(fields.wrong("endpoint", cause));
        }
        let names_socket = fields.get("endpoint").is_some_and(|endpoint| endpoint.get("path").is_some());
        let command =
            self.texts(fields, "command", ARGUMENTS_MAX)?.into_iter().map(|said| said.text).collect();
        Ok(TopologyNode {
            name,
            services,
            tree,
            command,
            env: self.env(fields)?,
            place: fields.place(),
            host,
            bind,
            port: port.and_then(|port| u16::try_from(port).ok()),
            kind,
            socket,
            names_socket,
        })
    }

    /// What a node listens at, and the path of its socket if it can have one.
    fn endpoint(&self, fields: &Fields<'_>, node: &str) -> Result<(EndpointKind, Option<PathBuf>), Mistake> {
        let in_directory =
            || self.socket_dir.as_ref().map(|directory| directory.join(format!("{node}.sock")));
        let Some(value) = fields.get("endpoint") else { return Ok((EndpointKind::Unix, in_directory())) };
        let endpoint = Fields::new(value, "endpoint", ENDPOINT_KEYS)?;
        let kinds = &[("unix", EndpointKind::Unix), ("tcp", EndpointKind::Tcp), ("shm", EndpointKind::Shm)];
        let kind = self.word(&endpoint, "kind", kinds)?.unwrap_or(EndpointKind::Unix);
        let path = self.path(&endpoint, "path")?;
        if path.as_ref().is_some_and(|path| {
            path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
        }) {
            return Err(endpoint.wrong(
                "path",
                "`path` is that of a directory: write the path of a socket, such as \"run/desk.sock\"",
            ));
        }
        match (kind, path) {
            (EndpointKind::Tcp, Some(_)) => {
                let cause = "`path` is that of a Unix socket, and the endpoint is TCP: leave it out, or write kind = \"unix\"";
                Err(endpoint.wrong("path", cause))
            }
            (EndpointKind::Tcp, None) => Ok((kind, None)),
            (EndpointKind::Unix | EndpointKind::Shm, path) => Ok((kind, path.or_else(in_directory))),
        }
    }

    fn env(&self, fields: &Fields<'_>) -> Result<Vec<(String, String)>, Mistake> {
        let place = |name: &str| {
            let value = fields.get("env").and_then(|table| table.get(name));
            value.map_or(fields.place(), Value::place)
        };
        let texts = fields.texts("env")?;
        if texts.len() > ARGUMENTS_MAX {
            return Err(fields.wrong("env", format!("`env` may have {ARGUMENTS_MAX} entries")));
        }
        let put_in = |(name, text): (String, String)| {
            let place = place(&name);
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(place.mistake(format!("`{name}` is no name of a variable of an environment")));
            }
            if name.starts_with(OWN_VARIABLES) {
                let cause = format!(
                    "`{name}` is set by `mycelium topology run`, which tells each node by such variables who it is: \
                     take it out, or give it another name"
                );
                return Err(place.mistake(cause));
            }
            let text = self.variables.put_in(&name, &text, place)?;
            if text.contains('\0') {
                return Err(place.mistake(format!("`{name}` has a zero byte in it")));
            }
            self.own.borrow_mut().push(OwnVariable { name: name.clone(), text: text.clone(), place });
            Ok((name, text))
        };
        texts.into_iter().map(put_in).collect()
    }

    fn between(&self, fields: &Fields<'_>, nodes: &[TopologyNode]) -> Result<(Between, Place), Mistake> {
        if !fields.has("between") {
            return Err(fields.missing("between"));
        }
        let two = "`between` names two nodes, such as [\"market\", \"trader\"]";
        let names = self.texts(fields, "between", 2)?;
        let number = |said: &Said| {
            nodes.iter().position(|node| *node.name == said.text).ok_or_else(|| {
                let names = || nodes.iter().map(|node| &*node.name);
                let home = nodes.iter().find(|node| node.services.iter().any(|name| **name == said.text));
                let hint = match home {
                    Some(node) => format!(": it is a service of the node `{}`", node.name),
                    None => suggestion(&said.text, names())
                        .unwrap_or_else(|| format!("; nodes are {}", check::listed(names()))),
                };
                said.place.mistake(format!("there is no node `{}`{hint}", said.text))
            })
        };
        let [one, other] = &*names else { return Err(fields.wrong("between", two)) };
        let (one, other) = (number(one)?, number(other)?);
        if one == other {
            return Err(fields.wrong("between", "both are the same node, which has no link with itself"));
        }
        let linked = fields.boolean("linked")?.unwrap_or(true);
        let rule = self.link_rule(fields)?;
        if !linked && rule != LinkRule::default() {
            let key = DEFAULT_KEYS.iter().find(|key| fields.has(key)).copied().unwrap_or("linked");
            return Err(fields
                .wrong(key, format!("these nodes are not linked, so `{key}` means nothing: take it out")));
        }
        let nodes = (one.min(other), one.max(other));
        let of_shm = SHM_KEYS.into_iter().find_map(|key| Some((key, fields.get(key)?.place())));
        Ok((Between { nodes, linked, rule, of_shm }, fields.place()))
    }

    fn link_rule(&self, fields: &Fields<'_>) -> Result<LinkRule, Mistake> {
        let spin = self.time(fields, "spin_us", 1e-3)?;
        if spin.is_some_and(|spin| spin > SPIN_MAX) {
            let cause = format!(
                "`spin_us` is more than {} microseconds, for which a thread would be busy: write less",
                SPIN_MAX.as_micros()
            );
            return Err(fields.wrong("spin_us", cause));
        }
        Ok(LinkRule {
            queue: self.queue_rule(fields)?,
            hold: self.time(fields, "hold_ms", 1.0)?,
            spin,
            ring_kib: self.number_in(fields, "ring_kib", RING_KIB_MIN..=RING_KIB_MAX)?,
        })
    }

    fn queue_rule(&self, fields: &Fields<'_>) -> Result<QueueRule, Mistake> {
        if let Some(said) = self.text(fields, "overflow")?
            && said.text == "conflate"
        {
            return Err(said.place.mistake(
                "the queue of a link cannot conflate, because keys are taken from messages and it holds bytes: write \
                 \"drop_oldest\", and conflate at the subscriber",
            ));
        }
        let overflow = self.word(fields, "overflow", POLICIES)?;
        Ok(QueueRule { overflow, capacity: self.number(fields, "capacity", QUEUE_MAX)? })
    }

    fn topics(&self, file: &Fields<'_>) -> Result<(Rules, Places), Mistake> {
        let Some(table) = file.get("topics") else { return Ok(Default::default()) };
        let Content::Table(values) = table.content() else {
            return Err(table
                .mistake("`topics` must be a table with one table for each topic, such as [topics.ticks]"));
        };
        let (mut topics, mut places) = (Rules::new(), Places::new());
        for value in values {
            if topics.len() == TOPICS_MAX {
                return Err(value.mistake(format!("`topics` may have {TOPICS_MAX} entries")));
            }
            let fields = Fields::new(value, "a table of [topics]", TOPIC_KEYS)?;
            let name: Arc<str> = Arc::from(&*value.key());
            places.insert(Arc::clone(&name), fields.place());
            topics.insert(name, self.queue_rule(&fields)?);
        }
        Ok((topics, places))
    }

    fn host(&self, fields: &Fields<'_>, key: &str) -> Result<Option<Host>, Mistake> {
        let Some(said) = self.text(fields, key)? else { return Ok(None) };
        Host::parse(&said.text).map(Some).map_err(|cause| said.place.mistake(format!("`{key}` {cause}")))
    }

    /// A path; relative ones begin at the directory of the file.
    fn path(&self, fields: &Fields<'_>, key: &str) -> Result<Option<PathBuf>, Mistake> {
        let Some(said) = self.text(fields, key)? else { return Ok(None) };
        if said.text.is_empty() {
            return Err(said
                .place
                .mistake(format!("`{key}` is an empty text: write a path, or leave it out")));
        }
        if said.text.contains('\0') {
            return Err(said.place.mistake(format!("`{key}` has a zero byte in it, which no path may have")));
        }
        Ok(Some(self.directory.join(said.text)))
    }

    fn text(&self, fields: &Fields<'_>, key: &str) -> Result<Option<Said>, Mistake> {
        let Some(text) = fields.string(key)? else { return Ok(None) };
        let place = fields.get(key).map_or(fields.place(), Value::place);
        Ok(Some(Said { text: self.variables.put_in(key, &text, place)?, place }))
    }

    fn texts(&self, fields: &Fields<'_>, key: &str, most: usize) -> Result<Vec<Said>, Mistake> {
        let said = |value: Value<'_>| {
            let Content::Text(text) = value.content() else {
                let cause =
                    format!("an entry of `{key}` must be a string in quotes, not {}", value.type_name());
                return Err(value.mistake(cause));
            };
            let place = value.place();
            let text = self.variables.put_in(key, &text, place)?;
            if text.contains('\0') {
                return Err(place.mistake(format!("an entry of `{key}` has a zero byte in it")));
            }
            Ok(Said { text, place })
        };
        fields.array(key, most, "a list of strings such as [\"a\", \"b\"]")?.map(said).collect()
    }

    /// A whole number from 1 on, as such or as a text: variables stand in texts.
    fn number(&self, fields: &Fields<'_>, key: &str, most: u32) -> Result<Option<u32>, Mistake> {
        self.number_in(fields, key, 1..=most)
    }

    fn number_in(
        &self,
        fields: &Fields<'_>,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, Mistake> {
        let Some(value) = fields.get(key) else { return Ok(None) };
        let Content::Text(text) = value.content() else { return fields.count(key, range, "") };
        let place = value.place();
        let text = self.variables.put_in(key, &text, place)?;
        match text.parse::<u32>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(place.mistake(format!(
                "`{key}` is \"{text}\", it must be a whole number between {} and {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// A time of at least zero in units of so many milliseconds, as a number or as a text.
    fn time(&self, fields: &Fields<'_>, key: &str, unit_ms: f64) -> Result<Option<Duration>, Mistake> {
        let Some(value) = fields.get(key) else { return Ok(None) };
        let Content::Text(text) = value.content() else { return fields.time(key, unit_ms) };
        let place = value.place();
        let text = self.variables.put_in(key, &text, place)?;
        let number =
            text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or("it must be a number");
        let time = number.and_then(|number| mycelium_toml::duration(number, unit_ms));
        time.map(Some).map_err(|cause| place.mistake(format!("`{key}` is \"{text}\", {cause}")))
    }

    fn word<T: Copy>(
        &self,
        fields: &Fields<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Mistake> {
        let Some(Said { text, place }) = self.text(fields, key)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*value));
        }
        let names = || words.iter().map(|(word, _)| *word);
        let hint = suggestion(&text, names()).unwrap_or_default();
        Err(place
            .mistake(format!("`{key}` is \"{text}\", it must be one of {}{hint}", check::listed(names()))))
    }
}

/// The name of a node or service: peers and paths are to take it.
fn named(key: &str, said: Said) -> Result<check::Name, Mistake> {
    let Said { text, place } = said;
    if !is_name(&text) || text.contains('/') || text.starts_with('.') || text == MONOLITH {
        let cause = if text == MONOLITH {
            format!("`{MONOLITH}` is how the one process of a monolith is called: take another name")
        } else {
            let key = if key == "name" { "`name`" } else { key };
            format!(
                "{key} is \"{text}\", which is no name: take 1 to {NAME_LEN_MAX} of the letters a-z and A-Z, digits, \
                 `-`, `_` and `.`, and no `.` first"
            )
        };
        return Err(place.mistake(cause));
    }
    Ok(check::Name { text: text.into(), place })
}
