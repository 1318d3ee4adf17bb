//! The script of a dry run: `[[events]]` beside the `[tree]`. `docs/supervision.md` describes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mycelium_toml::{Content, Document, Fields, Mistake, Place, Value};

use super::TREE_BYTES_MAX;
use super::keys::{INSTANCE_KEYS, behaviour, check_id, child as child_of, declaration, options};
use super::paths::{Above, Paths, TooMany};
use crate::message::Call;
use crate::sim::{Act, Behaviour, Exit, Plan, Scenario, Scripted, Tree};
use crate::spec::ChildSpec;

const EVENT_KEYS: &[&str] = &["at_ms", "child", "exit", "call", "target"];

/// What an instance of a simple-one-for-one supervisor may say, if it says the same as the template.
const TEMPLATE_KEYS: &[&str] = &["type", "restart", "shutdown_ms", "shutdown", "significant"];

const EXITS: &[(&str, Exit)] =
    &[("crash", Exit::Crash), ("normal", Exit::Normal), ("shutdown", Exit::Shutdown), ("kill", Exit::Kill)];
const CALLS: &[(&str, Function)] = &[
    ("terminate_child", Function::TerminateChild),
    ("restart_child", Function::RestartChild),
    ("delete_child", Function::DeleteChild),
    ("start_child", Function::StartChild),
    ("which_children", Function::WhichChildren),
    ("count_children", Function::CountChildren),
];

#[derive(Clone, Copy, PartialEq)]
enum Function {
    TerminateChild,
    RestartChild,
    DeleteChild,
    StartChild,
    WhichChildren,
    CountChildren,
}

impl Scenario {
    /// Reads a tree and its script from TOML, as `mycelium tree simulate` does.
    ///
    /// ```
    /// use mycelium_supervisor::sim::{Scenario, simulate};
    ///
    /// let scenario = Scenario::parse(
    ///     r#"
    ///     [tree]
    ///     [[tree.children]]
    ///     id = "feed"
    ///     [[events]]
    ///     at_ms = 1000
    ///     child = "root/feed"
    ///     exit = "crash"
    ///     "#,
    /// )?;
    /// let mut lines = 0;
    /// simulate(&scenario, 0, &mut |_| lines += 1)?;
    /// assert_eq!(lines, 3); // it starts, crashes, and starts again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        Self::parse_placed(text).map(|(scenario, _)| scenario)
    }

    /// The same, with the place of each entry of the script: what a run says of an entry can then be said of
    /// its line.
    ///
    /// ```
    /// use mycelium_supervisor::sim::Scenario;
    ///
    /// let text = "[tree]\n[[events]]\nat_ms = 1\nchild = \"root\"\nexit = \"normal\"\n";
    /// let (scenario, places) = Scenario::parse_placed(text)?;
    /// assert_eq!((scenario.script.len(), places[0].line), (1, 2));
    /// # Ok::<(), mycelium_supervisor::declare::Mistake>(())
    /// ```
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse_placed(text: &str) -> Result<(Self, Vec<Place>), Mistake> {
        let document = Document::parse(text)?;
        let document = Fields::document(&document, "the scenario", &["tree", "events"])?;
        let (root, flags, children) = declaration(&document)?;
        let tree = Tree { flags, children };
        let mut paths = Paths::new(&root, &tree).map_err(|TooMany(cause)| document.wrong("tree", cause))?;
        let (script, places) = script(&document, &root, &mut paths)?;
        Ok((Self { root, tree, script }, places))
    }
}

/// The events, by time, each with its place.
fn script(
    document: &Fields<'_>,
    root: &str,
    paths: &mut Paths,
) -> Result<(Vec<Scripted>, Vec<Place>), Mistake> {
    let mut events = Vec::new();
    for value in document.list("events", TREE_BYTES_MAX as usize)? {
        let fields = Fields::new(value, "an event", EVENT_KEYS)?;
        let at = fields.time("at_ms", 1.0)?.ok_or_else(|| fields.missing("at_ms"))?;
        events.push((at, fields));
    }
    events.sort_by_key(|(at, _)| *at);
    // Children added at run time first, so that any event may name them.
    let mut started: BTreeMap<usize, Act> = BTreeMap::new();
    for (number, (_, fields)) in events.iter().enumerate() {
        if fields.word("call", CALLS)? == Some(Function::StartChild) {
            started.insert(number, start_child(fields, paths)?);
        }
    }
    let mut script = Vec::with_capacity(events.len());
    let mut places = Vec::with_capacity(events.len());
    for (number, (at, fields)) in events.into_iter().enumerate() {
        let act = match started.remove(&number) {
            Some(act) => act,
            None => act(&fields, root, paths)?,
        };
        script.push(Scripted { at, act });
        places.push(fields.place());
    }
    Ok((script, places))
}

fn act(fields: &Fields<'_>, root: &str, paths: &Paths) -> Result<Act, Mistake> {
    let Some(function) = fields.word("call", CALLS)? else { return exit(fields, paths) };
    for key in ["child", "exit"] {
        if fields.has(key) {
            let cause = format!("`{key}` does not go with this `call`; its subject is `target`");
            return Err(fields.wrong(key, cause));
        }
    }
    let target = fields.string("target")?;
    if matches!(function, Function::WhichChildren | Function::CountChildren) {
        let path = target.as_deref().unwrap_or(root);
        supervisor_at(fields, path, paths)?;
        let call =
            if function == Function::WhichChildren { Call::WhichChildren } else { Call::CountChildren };
        return Ok(Act::Call { supervisor: path.to_owned(), target: path.to_owned(), call });
    }
    let target = target.ok_or_else(|| fields.missing("target"))?;
    let Some((above, id)) = target.rsplit_once('/') else {
        let cause = match target == root {
            true => {
                format!("`{target}` is the root, which is nobody's child; name a child such as `{root}/a`")
            }
            false => paths.unknown(&target, "child", |_| true),
        };
        return Err(fields.wrong("target", cause));
    };
    supervisor_at(fields, above, paths)?;
    check_id(fields, "target", id)?;
    let id = id.into();
    let call = match function {
        Function::TerminateChild => Call::TerminateChild(id),
        Function::RestartChild => Call::RestartChild(id),
        _ => Call::DeleteChild(id),
    };
    Ok(Act::Call { supervisor: above.to_owned(), target: target.clone().into_owned(), call })
}

fn exit(fields: &Fields<'_>, paths: &Paths) -> Result<Act, Mistake> {
    if !fields.has("child") && !fields.has("exit") {
        let cause = "an event needs `child` and `exit`, or `call` and `target`";
        return Err(fields.place().mistake(cause));
    }
    if fields.has("target") {
        return Err(fields.wrong("target", "`target` goes with `call`; the child that exits is `child`"));
    }
    let path = fields.string("child")?.ok_or_else(|| fields.missing("child"))?;
    let exit = fields.word("exit", EXITS)?.ok_or_else(|| fields.missing("exit"))?;
    if !paths.knows(&path) {
        return Err(fields.wrong("child", paths.unknown(&path, "child", |_| true)));
    }
    Ok(Act::Exit { path: path.into_owned(), exit })
}

fn supervisor_at<'p>(fields: &Fields<'_>, path: &str, paths: &'p Paths) -> Result<&'p Above, Mistake> {
    paths.supervisor(path).ok_or_else(|| {
        let cause = if paths.knows(path) {
            format!("`{path}` is a worker, not a supervisor")
        } else {
            paths.unknown(path, "supervisor", |supervisors| supervisors.is_some())
        };
        fields.wrong("target", cause)
    })
}

/// A `start_child`, whose child becomes known to the paths.
fn start_child(fields: &Fields<'_>, paths: &mut Paths) -> Result<Act, Mistake> {
    if fields.has("exit") {
        return Err(fields.wrong("exit", "`exit` does not go with `call`"));
    }
    let target = fields.string("target")?.ok_or_else(|| fields.missing("target"))?;
    let child = fields.get("child");
    if child.is_some_and(|child| !matches!(child.content(), Content::Table(_))) {
        return Err(fields.wrong("child", "`child` of start_child is a specification such as { id = \"a\" }"));
    }
    let named = child.and_then(|child| match child.get("id")?.content() {
        Content::Text(id) => Some(id),
        _ => None,
    });
    // The target is the supervisor; the path of the child to be is understood as well.
    let above = target.rsplit_once('/').filter(|(above, id)| {
        paths.supervisor(&target).is_none()
            && named.as_deref() == Some(*id)
            && paths.supervisor(above).is_some()
    });
    let path = above.map_or(&*target, |(above, _)| above).to_owned();
    let supervisors = supervisor_at(fields, &path, paths)?;
    // Which of them runs is known when the time comes; the specification must make sense for one of them.
    let (plain, templates) = (supervisors.plain, supervisors.templates.clone());
    let mut calls: Vec<(Option<Plan>, Call<Plan>)> = Vec::new();
    let mut fault = None;
    for template in &templates {
        match instance(child, template, paths) {
            Ok(call) => calls.push((Some(Arc::clone(&template.start)), call)),
            Err(mistake) => fault = fault.or(Some(mistake)),
        }
    }
    let too_many = |TooMany(cause)| fields.place().mistake(cause);
    if !calls.is_empty()
        && let Some(id) = &named
    {
        paths.add_instance(&path, id).map_err(too_many)?;
    }
    if plain {
        match new_child(fields, child, &path) {
            Ok(spec) => {
                paths.add_child(&path, &spec).map_err(too_many)?;
                calls.push((None, Call::StartChild(spec)));
            }
            Err(mistake) => fault = fault.or(Some(mistake)),
        }
    }
    let supervisor = path;
    let target = target.into_owned();
    match (calls.len(), fault) {
        (0, Some(fault)) => Err(fault),
        (1, _) => {
            let call = calls.remove(0).1;
            Ok(Act::Call { supervisor, target, call })
        }
        _ => Ok(Act::Start { supervisor, target, calls }),
    }
}

/// A new child of a supervisor that is not simple-one-for-one. Whether it fits there is for the supervisor to
/// say, in its reply.
fn new_child(fields: &Fields<'_>, child: Option<Value<'_>>, above: &str) -> Result<ChildSpec<Plan>, Mistake> {
    let child = child.ok_or_else(|| fields.missing("child"))?;
    child_of(child, "`child`", above.matches('/').count() + 1)
}

/// A new instance of a simple-one-for-one supervisor: a name, and how it behaves where not as the template
/// does.
fn instance(
    child: Option<Value<'_>>,
    template: &ChildSpec<Plan>,
    paths: &mut Paths,
) -> Result<Call<Plan>, Mistake> {
    let Some(value) = child else {
        return Ok(Call::StartInstance { id: None, start: Arc::clone(&template.start) });
    };
    let known = [INSTANCE_KEYS, TEMPLATE_KEYS].concat();
    let child = Fields::new(value, "an instance of simple_one_for_one", &known)?;
    let id = child.string("id")?;
    if let Some(id) = &id {
        check_id(&child, "id", id)?;
    }
    as_its_template(&child, template)?;
    let id = id.map(Into::into);
    if !INSTANCE_KEYS[1..].iter().any(|key| child.has(key)) {
        return Ok(Call::StartInstance { id, start: Arc::clone(&template.start) });
    }
    // A plan of its own has a tree of its own.
    let tree = template.start.tree.as_ref();
    tree.map_or(Ok(()), |tree| paths.count_tree(tree)).map_err(|TooMany(cause)| value.mistake(cause))?;
    let said = behaviour(&child)?;
    let mut own = Behaviour::clone(&template.start);
    if child.has("start_fails") {
        own.start_fails = said.start_fails;
    }
    if child.has("start_ignores") {
        own.start_ignores = said.start_ignores;
    }
    if child.has("start_takes_ms") {
        own.start_takes = said.start_takes;
    }
    if child.has("stop_takes_ms") {
        own.stop_takes = said.stop_takes;
    }
    Ok(Call::StartInstance { id, start: Plan::new(own) })
}

/// An instance may repeat what its template says, and not contradict it: OTP starts all of them from one
/// specification.
fn as_its_template(child: &Fields<'_>, template: &ChildSpec<Plan>) -> Result<(), Mistake> {
    let said = options(child)?;
    for key in TEMPLATE_KEYS.iter().filter(|key| child.has(key)) {
        let same = match *key {
            "type" => said.kind == template.kind,
            "restart" => said.restart == template.restart,
            "significant" => said.significant == template.significant,
            _ => said.shutdown == Some(template.shutdown()),
        };
        if !same {
            let cause = format!("`{key}` differs from that of the template `{}`", template.id);
            return Err(child.wrong(key, cause + ", which says it for all instances: leave it out"));
        }
    }
    Ok(())
}
