/* The library `mycelium` for OCaml over the C interface of `mycelium.h`. `mycelium.ml` says what each stub is
 * for.
 *
 * Threads. OCaml code runs on threads that OCaml made, and on those that Mycelium made: the delivery thread
 * and the one of each actor. The latter are registered with OCaml when they begin, and hold the runtime lock
 * but for the time that they wait (`hook_*`). `attached` says whether the thread is one of these and holds
 * it. Every call that may wait gives the lock back (`let_go`, `take_back`); what it reads meanwhile lies
 * outside of OCaml's heap.
 *
 * Values. What Mycelium keeps of OCaml is a `Cell`, a root of the collector. Mycelium may release one on a
 * thread that is not OCaml's: such a cell waits in `garbage` until a thread that holds the lock sweeps.
 *
 * Exceptions. None crosses a frame of Rust: the closures that are called here catch all, and what comes out
 * of them nevertheless is the text of a failure. Signals of the system are not delivered to the threads of
 * Mycelium, so no handler of OCaml runs there, and raises. */
#ifndef MYCELIUM_STUBS_H
#define MYCELIUM_STUBS_H

#define CAML_NAME_SPACE
#include <caml/alloc.h>
#include <caml/callback.h>
#include <caml/memory.h>
#include <caml/mlvalues.h>
#include <signal.h>
#include <stdint.h>

#include "mycelium.h"

/* Something of OCaml that Mycelium keeps. */
typedef struct Cell {
    value held;
    struct Cell *next;
} Cell;

/* Null: no memory. */
Cell *mycelium_ml_cell(value held);

/* Called by Mycelium, on any thread. */
void mycelium_ml_release(void *cell);

/* Frees what was released. Called where the runtime lock is held. */
void mycelium_ml_sweep(void);

/* Gives the runtime lock back, and takes it again with what that has returned. */
int mycelium_ml_let_go(void);
void mycelium_ml_take_back(int was);

/* What threads of Mycelium do as they begin, wait and end. */
extern const MyceliumThreadHooks mycelium_ml_hooks;

/* Signals of the system are for other threads than this one, and those that it makes. */
void mycelium_ml_block_signals(sigset_t *before);

/* The same for this thread, for good. */
void mycelium_ml_get_no_signals(void);

/* An actor whose lives `make` begins, and nothing else set; 0: no memory. */
int mycelium_ml_describe(MyceliumActor *actor, value make, int ends_batches);

/* A result of Mycelium; an error of it is raised as `Mycelium.Error`. */
int64_t mycelium_ml_check(int64_t result);

/* What a closure has said (`Fine`, or `Failed text`), for Mycelium. */
int32_t mycelium_ml_verdict(value said);

/* The same once other threads of OCaml have run, if it was their turn. */
int32_t mycelium_ml_turn(value said);

/* A message as a `raw`. */
value mycelium_ml_raw(const MyceliumMessage *message);

#endif
