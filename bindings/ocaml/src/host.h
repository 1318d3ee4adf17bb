/* The door by which a Rust program enters the OCaml that is linked into it. `bindings/ocaml/host` has the
 * same in Rust.
 *
 * All functions are called on one thread, the first of OCaml, which holds the runtime lock within them alone.
 * Those that return an `int32_t` return 0, or have failed with a text (`mycelium_fail`). */
#ifndef MYCELIUM_ML_HOST_H
#define MYCELIUM_ML_HOST_H

#include "mycelium.h"

/* Takes the description of an actor, which is there during the call, and owns its `user`. */
typedef void (*MyceliumMlTake)(void *into, const MyceliumActor *actor);

typedef struct MyceliumMlHost {
    /* `sizeof(MyceliumMlHost)`. */
    size_t size;
    /* `MYCELIUM_ABI`. */
    uint32_t abi;
    /* What threads that call OCaml do as they begin, wait and end. */
    MyceliumThreadHooks hooks;
    /* Starts OCaml and runs the top level of its program; once in a process. */
    int32_t (*start)(void);
    /* Gives OCaml a runtime, until `leave`, which owns what `kept` is set to. */
    int32_t (*enter)(MyceliumHandle runtime, void **kept);
    /* The actor that is registered under a name. */
    int32_t (*actor)(void *kept, const char *name, MyceliumMlTake take, void *into);
    /* The runtime is closed. */
    void (*leave)(void *kept);
} MyceliumMlHost;

#endif
