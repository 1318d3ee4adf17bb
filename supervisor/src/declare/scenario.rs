//! The script of a dry run: `[[events]]` beside the `[tree]`. `docs/supervision.md` describes them.

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Fields, Mistake, Source, line_starts};
use super::keys::{INSTANCE_KEYS, behaviour, check_id, child as child_of, declaration, options};
use super::paths::Paths;
use super::{Declaration, document, simulated};
use crate::message::Call;
use crate::sim::{Act, Behaviour, Exit, Plan, Scenario, Scripted};
use crate::spec::{ChildSpec, Strategy};

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
        let lines = line_starts(text);
        let source = Source::new(text, &lines);
        let document = document(source)?;
        let document = Fields::document(source, &document, "the scenario", &["tree", "events"])?;
        let Declaration { root, tree } = declaration(&document)?;
        let tree = tree.simulated();
        let mut paths = Paths::default();
        paths.add_tree(&root, &tree);
        let script = script(&document, &root, &mut paths)?;
        Ok(Self { root, tree, script })
    }
}

/// The events, by time.
fn script(document: &Fields<'_, '_>, root: &str, paths: &mut Paths) -> Result<Vec<Scripted>, Mistake> {
    let mut events = Vec::new();
    for value in document.list("events")? {
        let fields = Fields::new(document.source, value, "an event", EVENT_KEYS)?;
        let at = fields.time("at_ms", 1.0)?.ok_or_else(|| fields.missing("at_ms"))?;
        events.push((at, fields));
    }
    events.sort_by_key(|(at, _)| *at);
    // Children added at run time first, so that any event may name them.
    let mut started: Vec<Option<Act>> = Vec::new();
    for (_, fields) in &events {
        let starts = fields.word("call", CALLS)? == Some(Function::StartChild);
        started.push(if starts { Some(start_child(fields, paths)?) } else { None });
    }
    let mut script = Vec::new();
    for ((at, fields), started) in events.iter().zip(started) {
        let act = match started {
            Some(act) => act,
            None => act(fields, root, paths)?,
        };
        script.push(Scripted { at: *at, act });
    }
    Ok(script)
}

fn act(fields: &Fields<'_, '_>, root: &str, paths: &Paths) -> Result<Act, Mistake> {
    let Some(function) = fields.word("call", CALLS)? else { return exit(fields, paths) };
    for key in ["child", "exit"] {
        if fields.get(key).is_some() {
            let cause = format!("`{key}` does not go with this `call`; its subject is `target`");
            return Err(fields.wrong(key, cause));
        }
    }
    let target = fields.string("target")?;
    if matches!(function, Function::WhichChildren | Function::CountChildren) {
        let path = target.unwrap_or(root);
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
            false => paths.unknown(target, "child"),
        };
        return Err(fields.wrong("target", cause));
    };
    supervisor_at(fields, above, paths)?;
    let id = id.into();
    let call = match function {
        Function::TerminateChild => Call::TerminateChild(id),
        Function::RestartChild => Call::RestartChild(id),
        _ => Call::DeleteChild(id),
    };
    Ok(Act::Call { supervisor: above.to_owned(), target: target.to_owned(), call })
}

fn exit(fields: &Fields<'_, '_>, paths: &Paths) -> Result<Act, Mistake> {
    if fields.get("child").is_none() && fields.get("exit").is_none() {
        let cause = "an event needs `child` and `exit`, or `call` and `target`";
        return Err(fields.source.mistake(&fields.span, cause));
    }
    if fields.get("target").is_some() {
        return Err(fields.wrong("target", "`target` goes with `call`; the child that exits is `child`"));
    }
    let path = fields.string("child")?.ok_or_else(|| fields.missing("child"))?;
    let exit = fields.word("exit", EXITS)?.ok_or_else(|| fields.missing("exit"))?;
    if !paths.knows(path) {
        return Err(fields.wrong("child", paths.unknown(path, "child")));
    }
    Ok(Act::Exit { path: path.to_owned(), exit })
}

fn supervisor_at<'p>(
    fields: &Fields<'_, '_>,
    path: &str,
    paths: &'p Paths,
) -> Result<(Strategy, Option<&'p ChildSpec<Plan>>), Mistake> {
    paths.supervisor(path).ok_or_else(|| {
        let cause = if paths.knows(path) {
            format!("`{path}` is a worker, not a supervisor")
        } else {
            paths.unknown(path, "supervisor")
        };
        fields.wrong("target", cause)
    })
}

/// A `start_child`, whose child becomes known to the paths.
fn start_child(fields: &Fields<'_, '_>, paths: &mut Paths) -> Result<Act, Mistake> {
    if fields.get("exit").is_some() {
        return Err(fields.wrong("exit", "`exit` does not go with `call`"));
    }
    let target = fields.string("target")?.ok_or_else(|| fields.missing("target"))?;
    let child = fields.get("child");
    if child.is_some_and(|child| !child.get_ref().is_table()) {
        return Err(fields.wrong("child", "`child` of start_child is a specification such as { id = \"a\" }"));
    }
    let named = child.and_then(|child| child.get_ref().get("id")).and_then(|id| id.get_ref().as_str());
    // The target is the supervisor; the path of the child to be is understood as well.
    let above = target.rsplit_once('/').filter(|(above, id)| {
        paths.supervisor(target).is_none() && named == Some(*id) && paths.supervisor(above).is_some()
    });
    let path = above.map_or(target, |(above, _)| above);
    let (strategy, template) = supervisor_at(fields, path, paths)?;
    let (call, id) = if strategy == Strategy::SimpleOneForOne {
        let template = template.cloned().ok_or_else(|| fields.missing("child"))?;
        instance(fields, child, &template)?
    } else {
        let child = child.ok_or_else(|| fields.missing("child"))?;
        // Whether it fits its supervisor is for the supervisor to say, in its reply.
        let depth = path.matches('/').count() + 1;
        let spec = simulated(&child_of(fields.source, child, "`child`", depth)?);
        paths.add_child(path, &spec);
        let id = spec.id.to_string();
        (Call::StartChild(spec), Some(id))
    };
    if let (Some(id), true) = (&id, strategy == Strategy::SimpleOneForOne) {
        let template = paths.supervisor(path).and_then(|(_, template)| template.cloned());
        if let Some(template) = template {
            paths.add_child(path, &ChildSpec { id: id.as_str().into(), ..template });
        }
    }
    Ok(Act::Call { supervisor: path.to_owned(), target: target.to_owned(), call })
}

/// A new instance of a simple-one-for-one supervisor: a name, and how it behaves if not as the template does.
fn instance(
    fields: &Fields<'_, '_>,
    child: Option<&Spanned<DeValue<'_>>>,
    template: &ChildSpec<Plan>,
) -> Result<(Call<Plan>, Option<String>), Mistake> {
    let Some(value) = child else {
        return Ok((Call::StartInstance { id: None, start: template.start.clone() }, None));
    };
    let known = [INSTANCE_KEYS, TEMPLATE_KEYS].concat();
    let child = Fields::new(fields.source, value, "an instance of simple_one_for_one", &known)?;
    let id = child.string("id")?;
    if let Some(id) = id {
        check_id(&child, id)?;
    }
    as_its_template(&child, template)?;
    let own = INSTANCE_KEYS[1..].iter().any(|key| child.get(key).is_some());
    let start = if own {
        Plan::new(Behaviour { tree: template.start.tree.clone(), ..behaviour(&child)? })
    } else {
        template.start.clone()
    };
    Ok((Call::StartInstance { id: id.map(Into::into), start }, id.map(str::to_owned)))
}

/// An instance may repeat what its template says, and not contradict it: OTP starts all of them from one specification.
fn as_its_template(child: &Fields<'_, '_>, template: &ChildSpec<Plan>) -> Result<(), Mistake> {
    let said = options(child)?;
    for key in TEMPLATE_KEYS.iter().filter(|key| child.get(key).is_some()) {
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
