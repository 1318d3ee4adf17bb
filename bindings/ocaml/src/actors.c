#include <caml/fail.h>
#include <string.h>

#include "stubs.h"

/* The fields of `Actor.instance`. */
enum { STARTED, MESSAGE, TOLD, QUERY, TIMER, DOWN, BATCH_ENDED, STOPPING };

static value field(void *state, int at) { return Field(((Cell *)state)->held, at); }

static void *life_create(void *user) {
    value made = caml_callback_exn(((Cell *)user)->held, Val_unit);
    if (Is_exception_result(made)) {
        mycelium_ml_verdict(made);
        return NULL;
    }
    Cell *cell = mycelium_ml_cell(made);
    if (cell == NULL)
        mycelium_fail("no memory for the state of a life");
    return cell;
}

static int32_t life_started(void *state) { return mycelium_ml_turn(caml_callback_exn(field(state, STARTED), Val_unit)); }

static int32_t life_shown(void *state, int at, const MyceliumMessage *message) {
    value raw = mycelium_ml_raw(message);
    return mycelium_ml_turn(caml_callback_exn(field(state, at), raw));
}

static int32_t life_message(void *state, const MyceliumMessage *message) { return life_shown(state, MESSAGE, message); }
static int32_t life_told(void *state, const MyceliumMessage *message) { return life_shown(state, TOLD, message); }
static int32_t life_query(void *state, const MyceliumMessage *query) { return life_shown(state, QUERY, query); }

static int32_t life_timer(void *state, uint64_t number) {
    return mycelium_ml_turn(caml_callback_exn(field(state, TIMER), Val_long(number)));
}

static int32_t life_down(void *state, uint64_t number, const char *reason) {
    value text = caml_copy_string(reason);
    return mycelium_ml_turn(caml_callback2_exn(field(state, DOWN), Val_long(number), text));
}

static int32_t life_batch_ended(void *state) {
    return mycelium_ml_turn(caml_callback_exn(field(state, BATCH_ENDED), Val_unit));
}

static void life_stopping(void *state, const char *reason) {
    value text = caml_copy_string(reason);
    (void)caml_callback_exn(field(state, STOPPING), text);
}

int mycelium_ml_describe(MyceliumActor *actor, value make, int ends_batches) {
    Cell *cell = mycelium_ml_cell(make);
    if (cell == NULL)
        return 0;
    *actor = (MyceliumActor){
        .size = sizeof *actor,
        .user = cell,
        .create = life_create,
        .started = life_started,
        .message = life_message,
        .told = life_told,
        .query = life_query,
        .timer = life_timer,
        .down = life_down,
        .batch_ended = ends_batches ? life_batch_ended : NULL,
        .stopping = life_stopping,
        .destroy = mycelium_ml_release,
        .release = mycelium_ml_release,
    };
    return 1;
}

/* ---- Trees ---- */

CAMLprim value mycelium_ml_supervisor(value name, value numbers, value jitter) {
    mycelium_ml_sweep();
    MyceliumHandle made = 0;
    mycelium_ml_check(mycelium_supervisor_create(String_val(name), &made));
    const MyceliumHandle it = made;
    int64_t done = mycelium_supervisor_strategy(it, (int32_t)Long_val(Field(numbers, 0)));
    if (done >= 0)
        done = mycelium_supervisor_intensity(it, (uint32_t)Long_val(Field(numbers, 1)),
                                             (uint64_t)Long_val(Field(numbers, 2)));
    if (done >= 0 && Bool_val(Field(numbers, 3)))
        done = mycelium_supervisor_backoff(it, (uint64_t)Long_val(Field(numbers, 4)),
                                           (uint64_t)Long_val(Field(numbers, 5)), Double_val(jitter),
                                           (uint64_t)Long_val(Field(numbers, 6)));
    if (done < 0) {
        /* The text of the error stays this thread's: to free succeeds. */
        mycelium_free(it);
        mycelium_ml_check(done);
    }
    return caml_copy_int64((int64_t)it);
}

/* policy, capacity, restart, attempts, stuck after, heals, ready when told, shutdown; has a query, has a
   batch's end. */
CAMLprim value mycelium_ml_add_actor(value supervisor, value runtime, value name, value topics, value numbers,
                                     value make) {
    MyceliumActor actor;
    if (!mycelium_ml_describe(&actor, make, Bool_val(Field(numbers, 8))))
        caml_raise_out_of_memory();
    actor.topics = caml_string_length(topics) == 0 ? NULL : String_val(topics);
    actor.policy = (int32_t)Long_val(Field(numbers, 0));
    actor.capacity = (uint32_t)Long_val(Field(numbers, 1));
    actor.restart = (int32_t)Long_val(Field(numbers, 2));
    actor.attempts = (uint32_t)Long_val(Field(numbers, 3));
    actor.stuck_after_ms = (uint64_t)Long_val(Field(numbers, 4));
    actor.heals = (int32_t)Long_val(Field(numbers, 5));
    actor.ready_when_told = (int32_t)Long_val(Field(numbers, 6));
    actor.shutdown_ms = (uint64_t)Long_val(Field(numbers, 7));
    mycelium_ml_check(mycelium_supervisor_add_actor((MyceliumHandle)Int64_val(supervisor), (MyceliumHandle)Int64_val(runtime),
                                        String_val(name), &actor));
    return Val_unit;
}

CAMLprim value mycelium_ml_add_actor_byte(value *arguments, int count) {
    (void)count;
    return mycelium_ml_add_actor(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

CAMLprim value mycelium_ml_add_supervisor(value supervisor, value below) {
    mycelium_ml_check(mycelium_supervisor_add_supervisor((MyceliumHandle)Int64_val(supervisor), (MyceliumHandle)Int64_val(below)));
    return Val_unit;
}

CAMLprim value mycelium_ml_tree(value runtime, value supervisor) {
    MyceliumHandle on = (MyceliumHandle)Int64_val(runtime), from = (MyceliumHandle)Int64_val(supervisor), tree = 0;
    int was = mycelium_ml_let_go();
    int64_t started = mycelium_tree_start(on, from, &tree);
    mycelium_ml_take_back(was);
    mycelium_ml_sweep();
    mycelium_ml_check(started);
    return caml_copy_int64((int64_t)tree);
}

CAMLprim value mycelium_ml_tree_shutdown(value tree, value limit_ms) {
    MyceliumHandle handle = (MyceliumHandle)Int64_val(tree);
    uint64_t limit = (uint64_t)Long_val(limit_ms);
    int was = mycelium_ml_let_go();
    int64_t ended = mycelium_tree_shutdown(handle, limit);
    mycelium_ml_take_back(was);
    mycelium_ml_sweep();
    mycelium_ml_check(ended);
    return Val_unit;
}

CAMLprim value mycelium_ml_tree_ended(value tree, value limit_ms) {
    CAMLparam0();
    CAMLlocal2(text, some);
    MyceliumHandle handle = (MyceliumHandle)Int64_val(tree);
    uint64_t limit = (uint64_t)Long_val(limit_ms);
    char reason[4096];
    int was = mycelium_ml_let_go();
    int64_t ended = mycelium_tree_ended(handle, limit, reason, sizeof reason);
    mycelium_ml_take_back(was);
    if (mycelium_ml_check(ended) == 0)
        CAMLreturn(Val_none);
    text = caml_copy_string(reason);
    some = caml_alloc_some(text);
    CAMLreturn(some);
}

/* Stops a child, or starts it again. */
CAMLprim value mycelium_ml_tree_child(value tree, value path, value again) {
    MyceliumHandle handle = (MyceliumHandle)Int64_val(tree);
    char *name = caml_stat_strdup(String_val(path));
    int starts = Bool_val(again);
    int was = mycelium_ml_let_go();
    int64_t done = starts ? mycelium_tree_restart(handle, name) : mycelium_tree_terminate(handle, name);
    mycelium_ml_take_back(was);
    caml_stat_free(name);
    mycelium_ml_check(done);
    return Val_unit;
}

/* ---- Addresses ---- */

CAMLprim value mycelium_ml_address(value runtime, value path) {
    MyceliumHandle address = 0;
    mycelium_ml_check(mycelium_address((MyceliumHandle)Int64_val(runtime), String_val(path), &address));
    return caml_copy_int64((int64_t)address);
}

CAMLprim value mycelium_ml_is_alive(value address) {
    return Val_bool(mycelium_ml_check(mycelium_is_alive((MyceliumHandle)Int64_val(address))));
}

CAMLprim value mycelium_ml_tell(value address, value type_id, value bytes) {
    MyceliumHandle to = (MyceliumHandle)Int64_val(address);
    uint16_t id = (uint16_t)Long_val(type_id);
    size_t len = caml_string_length(bytes);
    uint8_t *copy = caml_stat_alloc(len + 1);
    memcpy(copy, Bytes_val(bytes), len);
    int was = mycelium_ml_let_go();
    int64_t told = mycelium_tell(to, id, copy, len);
    mycelium_ml_take_back(was);
    caml_stat_free(copy);
    mycelium_ml_check(told);
    return Val_unit;
}

CAMLprim value mycelium_ml_ask(value address, value type_id, value bytes, value limit_ms) {
    MyceliumHandle to = (MyceliumHandle)Int64_val(address);
    uint16_t id = (uint16_t)Long_val(type_id);
    int64_t limit = Long_val(limit_ms);
    size_t len = caml_string_length(bytes);
    uint8_t *copy = caml_stat_alloc(len + 1);
    memcpy(copy, Bytes_val(bytes), len);
    MyceliumMessage answer;
    int was = mycelium_ml_let_go();
    int64_t answered = mycelium_ask(to, id, copy, len, limit, &answer);
    mycelium_ml_take_back(was);
    caml_stat_free(copy);
    mycelium_ml_check(answered);
    return mycelium_ml_raw(&answer);
}

/* ---- The actor whose callback runs ---- */

CAMLprim value mycelium_ml_reply(value type_id, value bytes) {
    mycelium_ml_check(mycelium_reply((uint16_t)Long_val(type_id), Bytes_val(bytes), caml_string_length(bytes)));
    return Val_unit;
}

CAMLprim value mycelium_ml_schedule(value number, value delay_ns, value repeats) {
    mycelium_ml_check(mycelium_self_schedule((uint64_t)Long_val(number), (uint64_t)Long_val(delay_ns), Bool_val(repeats)));
    return Val_unit;
}

CAMLprim value mycelium_ml_cancel(value number) {
    return Val_bool(mycelium_ml_check(mycelium_self_cancel((uint64_t)Long_val(number))));
}

CAMLprim value mycelium_ml_watch(value address, value number) {
    mycelium_ml_check(mycelium_self_watch((MyceliumHandle)Int64_val(address), (uint64_t)Long_val(number)));
    return Val_unit;
}

CAMLprim value mycelium_ml_stop(value unit) {
    mycelium_ml_check(mycelium_self_stop());
    return unit;
}

CAMLprim value mycelium_ml_ready(value unit) {
    mycelium_ml_check(mycelium_self_ready());
    return unit;
}

CAMLprim value mycelium_ml_now(value unit) {
    (void)unit;
    int64_t now = 0;
    mycelium_ml_check(mycelium_self_now(&now));
    return Val_long(now);
}

CAMLprim value mycelium_ml_id(value unit) {
    (void)unit;
    uint64_t id = 0;
    mycelium_ml_check(mycelium_self_id(&id));
    return Val_long(id);
}
