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
    let acts: Vec<String> = scenario
        .script
        .iter()
        .map(|scripted| format!("{{{},{}}}", micros(scripted.at), act_term(&scripted.act, scenario, plans)))
        .collect();
    format!("{{{},{sup},[{}]}}.", binary(&scenario.root), acts.join(","))
}

/// OTP's whole seconds and milliseconds are microseconds here, under its own code.
fn micros(time: Duration) -> u128 {
    assert_eq!(time.subsec_nanos() % 1_000, 0, "whole microseconds");
    time.as_micros()
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

fn is_simple(tree: &Tree) -> bool {
    tree.flags.strategy == Strategy::SimpleOneForOne
}

fn act_term(act: &Act, scenario: &Scenario, plans: &mut Plans) -> String {
    match act {
        Act::Exit { path, exit } => {
            format!("{{exit,{},{}}}", binary(path), self::exit(exit))
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
            let (plan, behaviour) = behaviour(start, plans);
            format!("{{start_instance,{},{plan},{behaviour}}}", binary(id))
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
    let (strategy, auto) = (strategy(tree.flags.strategy), auto_shutdown(tree.flags.auto_shutdown));
    let children: Vec<String> = tree.children.iter().map(|spec| child(spec, plans)).collect();
    let (intensity, period) = (tree.flags.intensity, micros(tree.flags.period));
    format!("{{sup,{strategy},{intensity},{period},{auto},[{}]}}", children.join(","))
}

fn child(spec: &ChildSpec<Plan>, plans: &mut Plans) -> String {
    let restart = restart(spec.restart);
    let shutdown = match spec.shutdown() {
        Shutdown::BrutalKill => "brutal_kill".to_owned(),
        Shutdown::Infinity => "infinity".to_owned(),
        Shutdown::Timeout(time) => micros(time).to_string(),
    };
    let kind = spec.start.tree.as_ref().map_or_else(|| "worker".to_owned(), |below| tree(below, plans));
    let (plan, behaviour) = behaviour(&spec.start, plans);
    let (id, significant) = (binary(&spec.id), spec.significant);
    format!("{{{id},{plan},{restart},{shutdown},{significant},{kind},{behaviour}}}")
}

/// The number of the plan, and what it says.
fn behaviour(plan: &Plan, plans: &mut Plans) -> (usize, String) {
    let next = plans.len() + 1;
    let number = *plans.entry(std::sync::Arc::as_ptr(plan)).or_insert(next);
    let (fails, ignores) = (numbers(&plan.start_fails), numbers(&plan.start_ignores));
    (number, format!("{fails},{ignores},{},{}", micros(plan.start_takes), micros(plan.stop_takes)))
}

pub(crate) fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
        Strategy::SimpleOneForOne => "simple_one_for_one",
    }
}

pub(crate) fn auto_shutdown(auto: AutoShutdown) -> &'static str {
    match auto {
        AutoShutdown::Never => "never",
        AutoShutdown::AnySignificant => "any_significant",
        AutoShutdown::AllSignificant => "all_significant",
    }
}

pub(crate) fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    }
}

pub(crate) fn exit(exit: &Exit) -> &'static str {
    match exit {
        Exit::Crash => "crash",
        Exit::Normal => "normal",
        Exit::Shutdown => "shutdown",
        Exit::Kill => "kill",
    }
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
