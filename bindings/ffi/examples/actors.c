/* Actors under a supervisor: one that computes means fails on a tick, is restarted, and is asked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mycelium.h"

typedef struct {
    int64_t price;
    int64_t at;
} Tick;

typedef struct {
    double price;
    uint64_t ticks;
} Mean;

enum { TICK = 7, MEAN = 8 };

static int64_t check(int64_t result) {
    if (result < 0) {
        fprintf(stderr, "error %" PRId64 ": %s\n", result, mycelium_error());
        exit(1);
    }
    return result;
}

/* The state of one life: made, used and freed on the actor's own thread. */
typedef struct {
    int64_t sum;
    uint64_t ticks;
    MyceliumHandle runtime;
} State;

static void *create(void *user) {
    State *state = calloc(1, sizeof *state);
    if (state == NULL) {
        mycelium_fail("no memory for a state");
        return NULL;
    }
    state->runtime = *(MyceliumHandle *)user;
    return state;
}

static int32_t started(void *state) {
    (void)state;
    printf("a life begins\n");
    return mycelium_self_schedule(1, 1000000, 0) < 0 ? mycelium_fail(mycelium_error()) : 0;
}

static int32_t message(void *at, const MyceliumMessage *message) {
    State *state = at;
    const Tick *tick = (const Tick *)message->bytes;
    if (tick->price < 0)
        return mycelium_fail("a price below zero");
    state->sum += tick->price;
    state->ticks += 1;
    Mean mean = {(double)state->sum / (double)state->ticks, state->ticks};
    /* It is the actor who publishes. */
    if (mycelium_publish(state->runtime, MEAN, (const uint8_t *)&mean, sizeof mean) < 0)
        return mycelium_fail(mycelium_error());
    return 0;
}

static int32_t query(void *at, const MyceliumMessage *query) {
    State *state = at;
    if (query->type_id != MEAN)
        return mycelium_fail("ask me for a mean");
    Mean mean = {state->ticks ? (double)state->sum / (double)state->ticks : 0.0, state->ticks};
    return mycelium_reply(MEAN, (const uint8_t *)&mean, sizeof mean) < 0;
}

static int32_t timer(void *state, uint64_t number) {
    (void)state;
    return number == 1 ? 0 : mycelium_fail("no such timer");
}

static void stopping(void *state, const char *reason) {
    (void)state;
    printf("a life ends: %s\n", reason);
}

int main(int argc, char **argv) {
    MyceliumHandle runtime, supervisor, tree, address;
    check(mycelium_runtime_create_from_file(argc > 1 ? argv[1] : "ticks.yaml", NULL, &runtime));

    MyceliumActor actor = {
        .size = sizeof actor,
        .user = &runtime,
        .create = create,
        .started = started,
        .message = message,
        .query = query,
        .timer = timer,
        .stopping = stopping,
        .destroy = free,
        .topics = "market.ticks",
        .restart = MYCELIUM_RESTART_PERMANENT,
    };
    check(mycelium_supervisor_create("desk", &supervisor));
    check(mycelium_supervisor_intensity(supervisor, 3, 10000));
    check(mycelium_supervisor_backoff(supervisor, 1, 100, 0.0, 60000));
    check(mycelium_supervisor_add_actor(supervisor, runtime, "means", &actor));
    check(mycelium_tree_start(runtime, supervisor, &tree));
    check(mycelium_address(runtime, "desk/means", &address));

    const int64_t prices[] = {10, 20, -1, 30, 40};
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        Tick tick = {.price = prices[i], .at = (int64_t)i};
        check(mycelium_publish(runtime, TICK, (const uint8_t *)&tick, sizeof tick));
    }

    /* What was published before is handled before, so the answer comes from the second life. */
    Mean nothing = {0};
    MyceliumMessage answer;
    check(mycelium_ask(address, MEAN, (const uint8_t *)&nothing, sizeof nothing, 60000, &answer));
    const Mean *mean = (const Mean *)answer.bytes;
    printf("the mean of %" PRIu64 " ticks is %.1f\n", mean->ticks, mean->price);

    check(mycelium_tree_shutdown(tree, 5000));
    check(mycelium_runtime_close(runtime, 5000));
    const MyceliumHandle all[] = {address, tree, supervisor, runtime};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check(mycelium_free(all[i]));
    return 0;
}
