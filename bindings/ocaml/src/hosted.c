#include <signal.h>

#include "stubs.h"

#include "host.h"

/* Whether a Rust program has started OCaml. */
static int hosted;

CAMLprim value mycelium_ml_is_hosted(value unit) {
    (void)unit;
    return Val_bool(hosted);
}

static void attach(void) { mycelium_ml_hooks.after_wait(NULL); }
static void detach(void) { mycelium_ml_hooks.before_wait(NULL); }

/* There in native code alone: in bytecode this library has no host. */
#pragma weak caml_startup_exn

static int32_t start(void) {
    mycelium_ml_get_no_signals();
    /* OCaml's handler is for its own main thread alone: what overflows another stack is told by the
       program's. */
    struct sigaction faults;
    sigaction(SIGSEGV, NULL, &faults);
    hosted = 1;
    char name[] = "mycelium", *arguments[] = {name, NULL};
    value said = caml_startup_exn(arguments);
    sigaction(SIGSEGV, &faults, NULL);
    int32_t failed = Is_exception_result(said) ? mycelium_ml_verdict(said) : 0;
    detach();
    return failed;
}

/* A closure that `hosted.ml` has registered. */
static value closure(const char *name) { return *caml_named_value(name); }

static int32_t enter(MyceliumHandle runtime, void **kept) {
    attach();
    value handle = caml_copy_int64((int64_t)runtime);
    value made = caml_callback_exn(closure("mycelium.hosted.enter"), handle);
    int32_t failed = 0;
    if (Is_exception_result(made))
        failed = mycelium_ml_verdict(made);
    else if ((*kept = mycelium_ml_cell(made)) == NULL)
        failed = mycelium_fail("no memory for a runtime of OCaml");
    detach();
    return failed;
}

/* The fields of `Hosted.described`. */
enum { MAKE, TOPICS, POLICY, CAPACITY, ENDS_BATCHES };

static int32_t describe(value made, MyceliumMlTake take, void *into) {
    CAMLparam1(made);
    MyceliumActor actor;
    if (!mycelium_ml_describe(&actor, Field(made, MAKE), Bool_val(Field(made, ENDS_BATCHES))))
        CAMLreturnT(int32_t, mycelium_fail("no memory for an actor of OCaml"));
    if (caml_string_length(Field(made, TOPICS)) > 0)
        actor.topics = String_val(Field(made, TOPICS));
    actor.policy = (int32_t)Long_val(Field(made, POLICY));
    actor.capacity = (uint32_t)Long_val(Field(made, CAPACITY));
    take(into, &actor);
    CAMLreturnT(int32_t, 0);
}

static int32_t actor(void *kept, const char *name, MyceliumMlTake take, void *into) {
    attach();
    value text = caml_copy_string(name);
    value said = caml_callback2_exn(closure("mycelium.hosted.actor"), ((Cell *)kept)->held, text);
    int32_t failed;
    if (Is_exception_result(said))
        failed = mycelium_ml_verdict(said);
    else if (Tag_val(said) == 0) /* Ok */
        failed = describe(Field(said, 0), take, into);
    else
        failed = mycelium_fail(String_val(Field(said, 0)));
    mycelium_ml_sweep();
    detach();
    return failed;
}

static void leave(void *kept) {
    attach();
    (void)caml_callback_exn(closure("mycelium.hosted.leave"), ((Cell *)kept)->held);
    mycelium_ml_release(kept);
    mycelium_ml_sweep();
    detach();
}

static MyceliumMlHost host;

/* Named by Rust, weakly: it is null in a program without OCaml. */
const MyceliumMlHost *mycelium_ml_host(void) {
    host = (MyceliumMlHost){.size = sizeof host,
                            .abi = MYCELIUM_ABI,
                            .hooks = mycelium_ml_hooks,
                            .start = start,
                            .enter = enter,
                            .actor = actor,
                            .leave = leave};
    return &host;
}
