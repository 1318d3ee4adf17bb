/* What a message costs: `cost publish|publisher|array|callback|empty MESSAGES SIZE`. docs/c.md has the
   figures and how they are counted. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mycelium.h"

enum { WORDS_MAX = 512, BATCH = 256 };

static int64_t check(int64_t result) {
    if (result < 0) {
        fprintf(stderr, "%s\n", mycelium_error());
        exit(1);
    }
    return result;
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static atomic_long seen;
static int32_t look(void *user, const MyceliumMessage *message) {
    *(int64_t *)user += *(const int64_t *)message->bytes;
    atomic_store_explicit(&seen, atomic_load_explicit(&seen, memory_order_relaxed) + 1, memory_order_release);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "publish";
    long messages = argc > 2 ? atol(argv[2]) : 100000, words = (argc > 3 ? atol(argv[3]) : 104) / 8;
    if (words < 1 || words > WORDS_MAX)
        return 1;
    char *contract = malloc(64 + 32 * WORDS_MAX);
    int at = sprintf(contract, "mycelium contract 1\nschema cost 1\nmessage Cost 7 1 cost\n");
    for (long i = 0; i < words; i++)
        at += sprintf(contract + at, "field f%ld 1 i64\n", i);
    MyceliumHandle runtime, publisher, reader, subscription;
    check(mycelium_runtime_create(contract, NULL, &runtime));
    check(mycelium_publisher_create(runtime, 7, &publisher));
    free(contract);

    int64_t value[WORDS_MAX] = {1}, sum = 0;
    const size_t size = (size_t)words * 8;
    uint8_t *batch = malloc(BATCH * size), *out = malloc(BATCH * size);
    for (int i = 0; i < BATCH; i++)
        memcpy(batch + (size_t)i * size, value, size);

    double publishing = 0, reading = 0, begun = now();
    if (strcmp(what, "callback") == 0) {
        check(mycelium_subscribe(runtime, "cost", MYCELIUM_POLICY_BLOCK, 4096, look, &sum, NULL, &subscription));
        for (long i = 0; i < messages; i++)
            check(mycelium_publish(runtime, 7, (const uint8_t *)value, size));
        while (atomic_load_explicit(&seen, memory_order_acquire) < messages)
            ;
        publishing = now() - begun;
    } else {
        if (strcmp(what, "empty") != 0)
            check(mycelium_reader_create(runtime, "cost", MYCELIUM_POLICY_BLOCK, BATCH, &reader));
        for (long i = 0; i < messages; i += BATCH) {
            double from = now();
            if (strcmp(what, "array") == 0)
                check(mycelium_publish_array(runtime, 7, batch, size, BATCH, NULL));
            else if (strcmp(what, "publisher") == 0)
                for (int j = 0; j < BATCH; j++)
                    check(mycelium_publisher_publish(publisher, (const uint8_t *)value, size));
            else
                for (int j = 0; j < BATCH; j++)
                    check(mycelium_publish(runtime, 7, (const uint8_t *)value, size));
            double to = now();
            publishing += to - from;
            if (strcmp(what, "empty") != 0) {
                if (check(mycelium_read_array(reader, 7, out, BATCH * size)) != BATCH)
                    return 1;
                reading += now() - to;
            }
        }
    }
    printf("%s of %zu bytes: %.1f ns published, %.1f ns read, each of %ld\n", what, size, publishing / (double)messages,
           reading / (double)messages, messages);
    check(mycelium_runtime_close(runtime, 5000));
    free(batch);
    free(out);
    return 0;
}
