//! One entry of a trace as a line of text or of JSON.

use std::time::Duration;

use mycelium_supervisor::sim::{Entry, Happening, Plan};
use mycelium_supervisor::{CallError, ChildInfo, ChildKind, ChildStatus, ExitReason, Reply, SpecError};
use serde::Serialize;
use serde_json::{Value, json};

/// The keys of a JSON line, in this order; those without a value are left out.
#[derive(Default, Serialize)]
struct Line<'e> {
    at_ms: Value,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_ms: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

/// The JSON line of an entry; `None` for what JSON readers are not told.
pub(crate) fn json(entry: &Entry) -> Option<String> {
    let (reason, detail) = match &entry.what {
        Happening::StartFailed { reason }
        | Happening::Exited { reason }
        | Happening::Stopped { reason, .. }
        | Happening::RootExited { reason } => words(reason),
        _ => ("", None),
    };
    let mut line = Line {
        at_ms: milliseconds(entry.at),
        event: name(&entry.what)?,
        child: Some(&entry.path),
        reason: (!reason.is_empty()).then_some(reason),
        detail,
        ..Line::default()
    };
    match &entry.what {
        Happening::Waiting { backoff } => line.backoff_ms = Some(milliseconds(*backoff)),
        Happening::Reply { call, result, child } => {
            line.child = None;
            line.call = Some(call);
            line.target = Some(&entry.path);
            line.result = Some(outcome(result.as_ref(), child.as_deref()));
        }
        _ => {}
    }
    serde_json::to_string(&line).ok()
}

/// The line of an entry for people.
pub(crate) fn text(entry: &Entry) -> String {
    let path = &entry.path;
    let note = match &entry.what {
        Happening::Started => String::new(),
        Happening::StartFailed { reason }
        | Happening::Exited { reason }
        | Happening::Stopped { reason, .. }
        | Happening::RootExited { reason } => reason.to_string(),
        Happening::Waiting { backoff } => format!(
            "for {} ms, restarts at {} ms",
            milliseconds(*backoff),
            milliseconds(entry.at.saturating_add(*backoff))
        ),
        Happening::GaveUp => {
            "more restarts than its intensity allows: it stops its children and ends".to_owned()
        }
        Happening::AutoShutdown => {
            "significant children have ended: it stops its children and ends".to_owned()
        }
        Happening::Reply { call, result, child } => {
            format!("{call}: {}", outcome_text(result.as_ref(), child.as_deref()))
        }
        Happening::Skipped => "the script ends it, but it does not run: nothing happens".to_owned(),
        _ => String::new(),
    };
    let what = name(&entry.what).unwrap_or("skipped");
    let at = milliseconds(entry.at).to_string();
    format!("{at:>10} ms  {what:<13} {path:<24} {note}").trim_end().to_owned()
}

fn name(what: &Happening) -> Option<&'static str> {
    Some(match what {
        Happening::Started => "started",
        Happening::StartFailed { .. } => "start_failed",
        Happening::Exited { .. } => "exited",
        Happening::Stopped { .. } => "stopped",
        Happening::Waiting { .. } => "waiting",
        Happening::GaveUp => "gave_up",
        Happening::AutoShutdown => "auto_shutdown",
        Happening::Reply { .. } => "reply",
        Happening::RootExited { .. } => "root_exited",
        _ => return None,
    })
}

/// The reason in one word, and what is known besides.
fn words(reason: &ExitReason) -> (&str, Option<&str>) {
    match reason {
        ExitReason::Normal => ("normal", None),
        ExitReason::Shutdown => ("shutdown", None),
        ExitReason::ShutdownWith(detail) => ("shutdown", Some(detail)),
        ExitReason::Killed => ("killed", None),
        ExitReason::Abnormal(cause) => (cause, None),
    }
}

/// Milliseconds with up to three decimals, a whole number where it is one.
fn milliseconds(time: Duration) -> Value {
    let microseconds = (time.as_nanos() + 500) / 1_000;
    if microseconds.is_multiple_of(1_000) {
        u64::try_from(microseconds / 1_000).map_or(Value::Null, Value::from)
    } else {
        json!(microseconds as f64 / 1e3)
    }
}

fn outcome(result: Option<&Result<Reply<Plan>, CallError>>, child: Option<&str>) -> Value {
    match result {
        None => json!({ "error": "noproc" }),
        Some(Ok(reply)) => match reply {
            Reply::Started(_) => json!({ "ok": child }),
            Reply::Ignored => json!({ "ok": null }),
            Reply::Children(children) => children.iter().map(child_json).collect(),
            Reply::Counts(counts) => json!({
                "specs": counts.specs,
                "active": counts.active,
                "supervisors": counts.supervisors,
                "workers": counts.workers,
            }),
            Reply::Ok | Reply::Spec(_) => json!("ok"),
        },
        Some(Err(error)) => match error {
            CallError::StartFailed(reason) => {
                let (reason, detail) = words(reason);
                match detail {
                    Some(detail) => json!({ "error": "start_failed", "reason": reason, "detail": detail }),
                    None => json!({ "error": "start_failed", "reason": reason }),
                }
            }
            CallError::Spec(spec) => json!({ "error": error_name(error), "detail": spec.to_string() }),
            error => json!({ "error": error_name(error) }),
        },
    }
}

fn outcome_text(result: Option<&Result<Reply<Plan>, CallError>>, child: Option<&str>) -> String {
    match result {
        None => "error, no such supervisor runs".to_owned(),
        Some(Ok(Reply::Started(_))) => format!("ok, {} runs", child.unwrap_or("it")),
        Some(Ok(Reply::Ignored)) => "ok, but it chose not to run".to_owned(),
        Some(Ok(Reply::Children(children))) if children.is_empty() => "no children".to_owned(),
        Some(Ok(Reply::Children(children))) => {
            let each = children.iter().map(|child| format!("{} {}", child.id, state(child.status)));
            each.collect::<Vec<_>>().join(", ")
        }
        Some(Ok(Reply::Counts(counts))) => format!(
            "{} specs, {} active, {} supervisors, {} workers",
            counts.specs, counts.active, counts.supervisors, counts.workers
        ),
        Some(Ok(_)) => "ok".to_owned(),
        Some(Err(error)) => format!("error, {error}"),
    }
}

fn child_json(child: &ChildInfo) -> Value {
    let kind = match child.kind {
        ChildKind::Worker => "worker",
        ChildKind::Supervisor => "supervisor",
    };
    let mut value = json!({ "id": &*child.id, "state": state(child.status), "type": kind });
    if let ChildStatus::Waiting { until } = child.status {
        value["restart_at_ms"] = milliseconds(until);
    }
    value
}

/// OTP's words where it has one.
fn state(status: ChildStatus) -> &'static str {
    match status {
        ChildStatus::Running(_) => "running",
        ChildStatus::Waiting { .. } => "restarting",
        ChildStatus::Starting => "starting",
        ChildStatus::Stopping => "stopping",
        ChildStatus::Down => "undefined",
    }
}

fn error_name(error: &CallError) -> &'static str {
    match error {
        CallError::NotFound => "not_found",
        CallError::Running => "running",
        CallError::Restarting => "restarting",
        CallError::AlreadyPresent => "already_present",
        CallError::AlreadyStarted(_) => "already_started",
        CallError::SimpleOneForOne => "simple_one_for_one",
        CallError::NotSimpleOneForOne => "not_simple_one_for_one",
        CallError::StartFailed(_) => "start_failed",
        CallError::Spec(SpecError::SignificantNever { .. } | SpecError::SignificantPermanent { .. }) => {
            "bad_combination"
        }
        CallError::Spec(_) => "bad_spec",
        CallError::Busy => "busy",
        CallError::Stopping => "stopping",
        _ => "refused",
    }
}
