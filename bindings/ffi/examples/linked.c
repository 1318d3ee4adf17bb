/* One program as two processes, in a terminal each, in either order:
 *
 *   ./linked ticks.yaml desk.toml means
 *   ./linked ticks.yaml desk.toml feed
 *
 * or, where the topology is a monolith, as one: ./linked ticks.yaml desk.toml means feed
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mycelium.h"

typedef struct {
    int64_t price;
    int64_t at;
} Tick;

typedef struct {
    double price;
    uint64_t ticks;
} Mean;

enum { TICK = 7, MEAN = 8, TICKS = 1000 };

static int64_t check(int64_t result) {
    if (result < 0) {
        fprintf(stderr, "error %" PRId64 ": %s\n", result, mycelium_error());
        exit(1);
    }
    return result;
}

/* The service `means`: it answers each tick with the mean of all so far. */
typedef struct {
    MyceliumHandle runtime;
    int64_t sum;
    atomic_int ticks;
} Means;

static int32_t tick(void *user, const MyceliumMessage *message) {
    Means *means = user;
    const Tick *tick = (const Tick *)message->bytes;
    int ticks = atomic_load(&means->ticks) + 1;
    means->sum += tick->price;
    Mean mean = {(double)means->sum / ticks, (uint64_t)ticks};
    if (mycelium_publish(means->runtime, MEAN, (const uint8_t *)&mean, sizeof mean) < 0)
        return mycelium_fail(mycelium_error());
    atomic_store(&means->ticks, ticks);
    return 0;
}

/* A mean of nothing says that the service is there. */
static void be_there(MyceliumHandle runtime) {
    Mean nothing = {0};
    check(mycelium_publish(runtime, MEAN, (const uint8_t *)&nothing, sizeof nothing));
}

static Mean next(MyceliumHandle means) {
    Mean mean;
    check(mycelium_wait(means, -1));
    check(mycelium_read_array(means, MEAN, (uint8_t *)&mean, sizeof mean));
    return mean;
}

/* The service `feed`: it sends ticks once somebody is there, and looks at each answer. */
static void feed(MyceliumHandle runtime, MyceliumHandle means) {
    Mean mean = next(means);
    for (int64_t i = 0; i < TICKS; i++) {
        Tick tick = {.price = i, .at = 1000 * i};
        check(mycelium_publish(runtime, TICK, (const uint8_t *)&tick, sizeof tick));
    }
    for (uint64_t ticks = 1; ticks <= TICKS; ticks++) {
        do
            mean = next(means);
        while (mean.ticks == 0);
        if (mean.ticks != ticks) {
            fprintf(stderr, "the mean of %" PRIu64 " ticks is missing\n", ticks);
            exit(1);
        }
    }
    printf("the mean of %" PRIu64 " ticks is %.1f\n", mean.ticks, mean.price);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s CONTRACT TOPOLOGY SERVICE...\n", argv[0]);
        return 2;
    }
    int feeds = 0, computes = 0;
    for (int i = 3; i < argc; i++) {
        feeds |= strcmp(argv[i], "feed") == 0;
        computes |= strcmp(argv[i], "means") == 0;
    }
    MyceliumHandle runtime, reader = 0, subscription = 0;
    check(mycelium_runtime_create_from_files(argv[2], argv[3], argv[1], NULL, &runtime));

    Means means = {.runtime = runtime};
    if (feeds)
        check(mycelium_reader_create(runtime, "market.means", MYCELIUM_POLICY_BLOCK, 2 * TICKS, &reader));
    if (computes) {
        check(mycelium_subscribe(runtime, "market.ticks", MYCELIUM_POLICY_BLOCK, 0, tick, &means, NULL, &subscription));
        be_there(runtime);
    }
    if (feeds)
        feed(runtime, reader);
    while (computes && atomic_load(&means.ticks) < TICKS) {
        const struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
        if (atomic_load(&means.ticks) == 0)
            be_there(runtime);
    }
    if (computes)
        printf("answered %d ticks\n", atomic_load(&means.ticks));

    /* The other process has what was published when this returns. */
    check(mycelium_runtime_close(runtime, 60000));
    const MyceliumHandle all[] = {reader, subscription, runtime};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] != 0)
            check(mycelium_free(all[i]));
    return 0;
}
