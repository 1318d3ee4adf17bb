//! A scenario as the Erlang term that `otp_driver.erl` reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mycelium_supervisor::sim::{Act, Behaviour, Exit, Plan, Scenario, Tree};
use mycelium_supervisor::{AutoShutdown, Call, ChildSpec, Restart, Shutdown, Strategy};

/// The number of each plan, by its address: children that share a plan share its starts on both sides.
type Plans = BTreeMap<*const Behaviour, usize>;

pub(crate) fn scenario(scenario: &Scenario) -> String {
    let plans = &mut Plans::new();
    let sup = tree(&scenario.tree, plans);
    let mut acts = Vec::new();
    let mut now = Duration::ZERO;
    for scripted in &scenario.script {
        if scripted.at > now {
            acts.push(format!("{{advance,{}}}", (scripted.at - now).as_secs()));
            now = scripted.at;
        }
        acts.push(act_term(&scripted.act, scenario, plans));
    }
    format!("{{{},{sup},[{}]}}.", binary(&scenario.root), acts.join(","))
}

/// The strategy of the supervisor at `path`, which must be in the tree or added by the script.
pub(crate) fn strategy_at(scenario: &Scenario, path: &str) -> Option<Strategy> {
    tree_at(scenario, path).map(|tree| tree.flags.strategy)
}

/// Whether `path` is the template of a simple-one-for-one supervisor, rather than an instance of it.
pub(crate) fn is_template(scenario: &Scenario, path: &str) -> bool {
    let Some((above, id)) = path.rsplit_once('/') else { return false };
    tree_at(scenario, above).is_some_and(|tree| is_simple(tree) && *tree.children[0].id == *id)
}

/// The supervisor at `path`; every child of a simple-one-for-one supervisor is as its template.
pub(crate) fn tree_at<'s>(scenario: &'s Scenario, path: &str) -> Option<&'s Tree> {
    let acts = scenario.script.iter().flat_map(|scripted| match &scripted.act {
        Act::Burst(acts) => acts.as_slice(),
        act => std::slice::from_ref(act),
    });
    let added = acts.filter_map(|act| match act {
        Act::Call { supervisor, call: Call::StartChild(spec), .. } => {
            Some((format!("{supervisor}/{}", spec.id), spec.start.tree.as_ref()?))
        }
        _ => None,
    });
    let root = (scenario.root.to_string(), &scenario.tree);
    std::iter::once(root).chain(added).find_map(|(top, tree)| {
        let mut parts = path.strip_prefix(&top)?.split('/');
        if !parts.next()?.is_empty() {
            return None;
        }
        parts.try_fold(tree, |tree, id| {
            let mut children = tree.children.iter();
            children.find(|child| is_simple(tree) || &*child.id == id)?.start.tree.as_ref()
        })
    })
}

/// The supervisors that are killed, or would be if they were stopped, each with a `/` behind it.
pub(crate) fn killed(scenario: &Scenario) -> Vec<String> {
    let mut killed = Vec::new();
    brutal(&scenario.root, &scenario.tree, &mut killed);
    for scripted in &scenario.script {
        match &scripted.act {
            Act::Exit { path, exit: Exit::Kill } if tree_at(scenario, path).is_some() => {
                killed.push(format!("{path}/"));
            }
            Act::Call { supervisor, call: Call::StartChild(spec), .. } => {
                let below = spec.start.tree.as_ref();
                brutal_child(&format!("{supervisor}/{}", spec.id), spec.shutdown(), below, &mut killed);
            }
            _ => {}
        }
    }
    killed
}

fn brutal(path: &str, tree: &Tree, killed: &mut Vec<String>) {
    for child in tree.children.iter().filter(|_| !is_simple(tree)) {
        brutal_child(&format!("{path}/{}", child.id), child.shutdown(), child.start.tree.as_ref(), killed);
    }
}

fn brutal_child(path: &str, shutdown: Shutdown, below: Option<&Tree>, killed: &mut Vec<String>) {
    if let Some(below) = below {
        if shutdown == Shutdown::BrutalKill {
            killed.push(format!("{path}/"));
        }
        brutal(path, below, killed);
    }
}

fn is_simple(tree: &Tree) -> bool {
    tree.flags.strategy == Strategy::SimpleOneForOne
}

fn act_term(act: &Act, scenario: &Scenario, plans: &mut Plans) -> String {
    match act {
        Act::Exit { path, exit } => {
            let how = match exit {
                Exit::Crash => "crash",
                Exit::Normal => "normal",
                Exit::Shutdown => "shutdown",
                Exit::Kill => "kill",
            };
            format!("{{exit,{},{how}}}", binary(path))
        }
        Act::Call { supervisor, target, call } => {
            let simple = strategy_at(scenario, supervisor) == Some(Strategy::SimpleOneForOne);
            let request = request(call, simple, supervisor, scenario, plans);
            format!("{{call,{},{},{request}}}", binary(supervisor), binary(target))
        }
        Act::Start { .. } => panic!("the comparison asks for children where it knows the supervisor's kind"),
        Act::Burst(acts) => {
            let supervisor = acts.iter().find_map(|act| match act {
                Act::Call { supervisor, .. } => Some(supervisor.as_str()),
                _ => None,
            });
            let acts: Vec<String> = acts.iter().map(|each| act_term(each, scenario, plans)).collect();
            format!("{{burst,{},[{}]}}", binary(supervisor.expect("a burst has a call")), acts.join(","))
        }
    }
}

fn request(
    call: &Call<Plan>,
    simple: bool,
    supervisor: &str,
    scenario: &Scenario,
    plans: &mut Plans,
) -> String {
    match call {
        Call::StartChild(spec) => format!("{{start_child,{}}}", child(spec, plans)),
        Call::StartInstance { id, start } => {
            let id = id.as_deref().expect("generated instances have names");
            let (plan, fails, ignores) = behaviour(start, plans);
            format!("{{start_instance,{},{plan},{fails},{ignores}}}", binary(id))
        }
        // OTP knows an instance by its pid only, and its template by the id.
        Call::TerminateChild(id) if simple && !is_template(scenario, &format!("{supervisor}/{id}")) => {
            format!("{{terminate_instance,{}}}", binary(id))
        }
        Call::TerminateChild(id) => format!("{{terminate_child,{}}}", binary(id)),
        Call::RestartChild(id) => format!("{{restart_child,{}}}", binary(id)),
        Call::DeleteChild(id) => format!("{{delete_child,{}}}", binary(id)),
        Call::WhichChildren if simple => "{which_instances}".to_owned(),
        Call::WhichChildren => "{which_children}".to_owned(),
        Call::CountChildren => "{count_children}".to_owned(),
        Call::ChildSpec(_) => unreachable!("not generated: it has no effect to compare"),
    }
}

fn tree(tree: &Tree, plans: &mut Plans) -> String {
    let strategy = match tree.flags.strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
        Strategy::SimpleOneForOne => "simple_one_for_one",
    };
    let auto = match tree.flags.auto_shutdown {
        AutoShutdown::Never => "never",
        AutoShutdown::AnySignificant => "any_significant",
        AutoShutdown::AllSignificant => "all_significant",
    };
    let children: Vec<String> = tree.children.iter().map(|spec| child(spec, plans)).collect();
    let (intensity, period) = (tree.flags.intensity, tree.flags.period.as_secs());
    format!("{{sup,{strategy},{intensity},{period},{auto},[{}]}}", children.join(","))
}

fn child(spec: &ChildSpec<Plan>, plans: &mut Plans) -> String {
    let restart = match spec.restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    };
    let shutdown = match spec.shutdown() {
        Shutdown::BrutalKill => "brutal_kill".to_owned(),
        Shutdown::Infinity => "infinity".to_owned(),
        Shutdown::Timeout(time) => time.as_millis().to_string(),
    };
    let kind = spec.start.tree.as_ref().map_or_else(|| "worker".to_owned(), |below| tree(below, plans));
    let (plan, fails, ignores) = behaviour(&spec.start, plans);
    let (id, significant) = (binary(&spec.id), spec.significant);
    format!("{{{id},{plan},{restart},{shutdown},{significant},{kind},{fails},{ignores}}}")
}

fn behaviour(plan: &Plan, plans: &mut Plans) -> (usize, String, String) {
    let next = plans.len() + 1;
    let number = *plans.entry(std::sync::Arc::as_ptr(plan)).or_insert(next);
    (number, numbers(&plan.start_fails), numbers(&plan.start_ignores))
}

fn numbers(list: &[u32]) -> String {
    let mut text = String::from("[");
    for (i, number) in list.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{number}");
    }
    text + "]"
}

fn binary(text: &str) -> String {
    format!("<<\"{text}\">>")
}
