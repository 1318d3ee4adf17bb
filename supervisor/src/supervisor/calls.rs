//! The calls of OTP's `supervisor` module, served while the supervisor rests.

use std::sync::Arc;

use crate::children::{Children, Slot, State};
use crate::message::{Action, Call, CallError, CallId, ChildInfo, Counts, Reply};
use crate::spec::{CHILDREN_MAX, ChildKind, ChildSpec, SpecError, check_id};

use super::start::StartPurpose;
use super::stop::AfterStop;
use super::{Step, Supervisor};

impl<F: Clone> Supervisor<F> {
    pub(super) fn handle_call(&mut self, step: &mut Step<'_, F>, id: CallId, call: Call<F>) {
        let outcome = match call {
            Call::StartChild(spec) => self.start_child(step, id, spec),
            Call::StartInstance { id: name, start } => self.start_instance(step, id, name, start),
            Call::TerminateChild(name) => self.terminate_child(step, id, &name),
            Call::RestartChild(name) => self.restart_child(step, id, &name),
            Call::DeleteChild(name) => self.delete_child(&name).map(|()| Some(Reply::Ok)),
            Call::WhichChildren => Ok(Some(Reply::Children(self.listed().collect()))),
            Call::CountChildren => Ok(Some(Reply::Counts(self.counts()))),
            Call::ChildSpec(name) => self.child_spec(&name).map(|spec| Some(Reply::Spec(spec))),
        };
        // Without a reply yet, the start or the stop that has begun will give it.
        if let Some(reply) = outcome.transpose() {
            step.act(Action::Reply(id, reply));
        }
    }

    fn start_child(
        &mut self,
        step: &mut Step<'_, F>,
        call: CallId,
        spec: ChildSpec<F>,
    ) -> Result<Option<Reply<F>>, CallError> {
        if self.is_simple() {
            return Err(CallError::SimpleOneForOne);
        }
        spec.check(&self.flags).map_err(CallError::Spec)?;
        self.add(step, call, spec)
    }

    fn start_instance(
        &mut self,
        step: &mut Step<'_, F>,
        call: CallId,
        name: Option<Arc<str>>,
        start: F,
    ) -> Result<Option<Reply<F>>, CallError> {
        let template = self.template.clone().ok_or(CallError::NotSimpleOneForOne)?;
        let id = match name {
            Some(id) => id,
            None => self.new_instance_name(&template.id),
        };
        check_id(&id).map_err(CallError::Spec)?;
        self.add(step, call, ChildSpec { id, start, ..(*template).clone() })
    }

    fn add(
        &mut self,
        step: &mut Step<'_, F>,
        call: CallId,
        spec: ChildSpec<F>,
    ) -> Result<Option<Reply<F>>, CallError> {
        if let Some(key) = self.children.key(&spec.id) {
            let pid = self.children.get(key).and_then(|slot| slot.pid(key));
            return Err(pid.map_or(CallError::AlreadyPresent, CallError::AlreadyStarted));
        }
        if self.children.len() >= CHILDREN_MAX {
            return Err(CallError::Spec(SpecError::TooManyChildren { count: self.children.len() + 1 }));
        }
        let key = self.children.insert(Arc::new(spec));
        self.start(step, key, StartPurpose::Call { call, added: true });
        Ok(None)
    }

    fn terminate_child(
        &mut self,
        step: &mut Step<'_, F>,
        call: CallId,
        name: &str,
    ) -> Result<Option<Reply<F>>, CallError> {
        let Some(key) = self.children.key(name) else {
            let is_template = self.template.as_ref().is_some_and(|template| &*template.id == name);
            return Err(if is_template { CallError::SimpleOneForOne } else { CallError::NotFound });
        };
        self.stop_from(step, key, key + 1, AfterStop::Reply(call));
        Ok(None)
    }

    fn restart_child(
        &mut self,
        step: &mut Step<'_, F>,
        call: CallId,
        name: &str,
    ) -> Result<Option<Reply<F>>, CallError> {
        let key = self.down_child(name)?;
        self.start(step, key, StartPurpose::Call { call, added: false });
        Ok(None)
    }

    fn delete_child(&mut self, name: &str) -> Result<(), CallError> {
        let key = self.down_child(name)?;
        self.children.remove(key);
        Ok(())
    }

    /// The child of this name, if it is neither running nor about to.
    fn down_child(&self, name: &str) -> Result<u64, CallError> {
        if self.is_simple() {
            return Err(CallError::SimpleOneForOne);
        }
        let key = self.children.key(name).ok_or(CallError::NotFound)?;
        match self.children.get(key).map(Slot::state) {
            Some(State::Down) => Ok(key),
            Some(State::Retrying { .. } | State::Waiting { .. }) => Err(CallError::Restarting),
            Some(_) => Err(CallError::Running),
            None => Err(CallError::NotFound),
        }
    }

    fn child_spec(&self, name: &str) -> Result<Arc<ChildSpec<F>>, CallError> {
        let slot = self.children.key(name).and_then(|key| self.children.get(key));
        let template = self.template.as_ref().filter(|template| &*template.id == name);
        slot.map(|slot| &slot.spec).or(template).cloned().ok_or(CallError::NotFound)
    }

    fn listed(&self) -> impl Iterator<Item = ChildInfo> {
        self.children.reversed().map(|(key, slot)| Children::listed(key, slot))
    }

    fn counts(&self) -> Counts {
        match &self.template {
            None => self.children.counts(),
            Some(template) => {
                let instances = self.children.len();
                // OTP counts an instance whose exit it has not dealt with yet here, and not above.
                let active = self.children.reversed().filter(|(_, slot)| !slot.restarts()).count();
                let (supervisors, workers) = match template.kind {
                    ChildKind::Supervisor => (instances, 0),
                    ChildKind::Worker => (0, instances),
                };
                Counts { specs: 1, active, supervisors, workers }
            }
        }
    }

    /// A name that no instance alive has: the template's id and a number that only grows.
    fn new_instance_name(&mut self, template: &str) -> Arc<str> {
        loop {
            self.instances_named += 1;
            let name = format!("{template}#{}", self.instances_named);
            if self.children.key(&name).is_none() {
                return name.into();
            }
        }
    }
}
