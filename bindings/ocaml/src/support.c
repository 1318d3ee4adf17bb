#include <caml/fail.h>
#include <caml/printexc.h>
#include <caml/signals.h>
#include <caml/threads.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "stubs.h"

/* ---- Threads ---- */

static _Thread_local int attached;
/* Whether Mycelium is told how to look for signals on this thread; those of Mycelium get none. */
static _Thread_local int looks;
/* What a handler of a signal has raised while this thread waited. */
static _Thread_local Cell *raised;

/* Called by Mycelium while this thread waits without the lock. A handler that raises ends the wait. */
static int32_t look(void *user) {
    (void)user;
    caml_leave_blocking_section();
    value said = caml_process_pending_actions_exn();
    if (Is_exception_result(said)) {
        value exception = Extract_exception(said);
        raised = mycelium_ml_cell(exception);
    }
    int ends = Is_exception_result(said);
    caml_enter_blocking_section_no_pending();
    return ends;
}

int mycelium_ml_let_go(void) {
    int was = attached;
    attached = 0;
    if (!looks && !was) {
        looks = 1;
        mycelium_on_wait(look, NULL);
    }
    /* Without a look at signals, whose handlers may raise: who waits is to be found as it was. */
    caml_enter_blocking_section_no_pending();
    return was;
}

void mycelium_ml_take_back(int was) {
    caml_leave_blocking_section();
    attached = was;
}

static void hook_after_wait(void *user) {
    (void)user;
    caml_leave_blocking_section();
    attached = 1;
}

static void hook_before_wait(void *user) {
    (void)user;
    attached = 0;
    caml_enter_blocking_section_no_pending();
}

void mycelium_ml_block_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    /* The first is how OCaml lets threads take turns; the others are faults of this thread. */
    const int own[] = {SIGVTALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_BLOCK, &all, before);
}

void mycelium_ml_get_no_signals(void) {
    mycelium_ml_block_signals(NULL);
    looks = 1; /* There are none to look for. */
}

static void hook_started(void *user) {
    mycelium_ml_get_no_signals();
    if (!caml_c_thread_register())
        abort(); /* No memory for a thread's description: OCaml itself ends then. */
    hook_after_wait(user);
}

static void hook_ended(void *user) {
    hook_before_wait(user);
    caml_c_thread_unregister();
}

const MyceliumThreadHooks mycelium_ml_hooks = {
    .started = hook_started, .before_wait = hook_before_wait, .after_wait = hook_after_wait, .ended = hook_ended};

/* ---- Values that Mycelium keeps ---- */

/* A list that threads push to and that is taken as a whole: no thread holds it, so a child of `fork` finds it
   whole. */
static _Atomic(Cell *) garbage;

Cell *mycelium_ml_cell(value held) {
    Cell *cell = malloc(sizeof *cell);
    if (cell == NULL)
        return NULL;
    cell->held = held;
    cell->next = NULL;
    caml_register_generational_global_root(&cell->held);
    return cell;
}

static void cell_free(Cell *cell) {
    caml_remove_generational_global_root(&cell->held);
    free(cell);
}

void mycelium_ml_release(void *at) {
    Cell *cell = at;
    if (attached) {
        cell_free(cell);
        return;
    }
    Cell *before = atomic_load(&garbage);
    do
        cell->next = before;
    while (!atomic_compare_exchange_weak(&garbage, &before, cell));
}

void mycelium_ml_sweep(void) {
    Cell *first = atomic_exchange(&garbage, NULL);
    while (first != NULL) {
        Cell *next = first->next;
        cell_free(first);
        first = next;
    }
}

/* ---- Errors ---- */

CAMLprim value mycelium_ml_fail(value code) {
    CAMLparam0();
    CAMLlocal2(text, kind);
    static const value *error;
    if (error == NULL)
        error = caml_named_value("mycelium.error");
    text = caml_copy_string(mycelium_error());
    kind = Val_long(-Long_val(code) - 1);
    value arguments[] = {kind, text};
    caml_raise_with_args(*error, 2, arguments);
    CAMLreturn(Val_unit);
}

int64_t mycelium_ml_check(int64_t result) {
    if (result == MYCELIUM_ERROR_INTERRUPTED && raised != NULL) {
        Cell *cell = raised;
        value exception = cell->held;
        raised = NULL;
        cell_free(cell);
        caml_raise(exception);
    }
    if (result < 0)
        mycelium_ml_fail(Val_long(result));
    return result;
}

/* ---- What is called back ---- */

int32_t mycelium_ml_verdict(value said) {
    if (Is_exception_result(said)) {
        char *text = caml_format_exception(Extract_exception(said));
        int32_t failed = mycelium_fail(text);
        caml_stat_free(text);
        return failed;
    }
    return Is_long(said) ? 0 : mycelium_fail(String_val(Field(said, 0)));
}

int32_t mycelium_ml_turn(value said) {
    int32_t failed = mycelium_ml_verdict(said);
    if (!caml_check_pending_actions())
        return failed;
    int32_t other = mycelium_ml_verdict(caml_process_pending_actions_exn());
    return failed != 0 ? failed : other;
}

value mycelium_ml_raw(const MyceliumMessage *message) {
    CAMLparam0();
    CAMLlocal2(bytes, raw);
    bytes = caml_alloc_initialized_string(message->len, (const char *)message->bytes);
    raw = caml_alloc_small(7, 0);
    Field(raw, 0) = Val_long(message->type_id);
    Field(raw, 1) = Val_long(message->version);
    Field(raw, 2) = Val_long(message->root_len);
    Field(raw, 3) = Val_long(message->stamp);
    Field(raw, 4) = Val_long(message->published_ns);
    Field(raw, 5) = Val_long(message->sender);
    Field(raw, 6) = bytes;
    CAMLreturn(raw);
}
