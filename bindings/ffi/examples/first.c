/* A first program: publish ticks, read them in one batch, and have a callback look at each.
 *
 *   cargo build --release -p mycelium-ffi
 *   cc -I bindings/ffi/include bindings/ffi/examples/first.c -L target/release -lmycelium_ffi -o first
 *   LD_LIBRARY_PATH=target/release ./first bindings/ffi/examples/ticks.yaml
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mycelium.h"

/* A message of fixed size is a C struct: the fields of the contract, in their order. */
typedef struct {
    int64_t price;
    int64_t at;
} Tick;

enum { TICK = 7 };

/* Every call says what is wrong, and what to do about it. */
static int64_t check(int64_t result) {
    if (result < 0) {
        fprintf(stderr, "error %" PRId64 ": %s\n", result, mycelium_error());
        exit(1);
    }
    return result;
}

/* Called on the runtime's delivery thread. */
static int32_t look(void *user, const MyceliumMessage *message) {
    const Tick *tick = (const Tick *)message->bytes;
    *(int64_t *)user += tick->price;
    return tick->price == 13 ? mycelium_fail("13 is no price") : 0;
}

int main(int argc, char **argv) {
    MyceliumHandle runtime, reader, subscription;
    check(mycelium_runtime_create_from_file(argc > 1 ? argv[1] : "ticks.yaml", NULL, &runtime));
    check(mycelium_reader_create(runtime, "market.*", MYCELIUM_POLICY_BLOCK, 0, &reader));

    int64_t sum = 0;
    check(mycelium_subscribe(runtime, "market.ticks", MYCELIUM_POLICY_BLOCK, 0, look, &sum, NULL, &subscription));

    for (int64_t i = 0; i < 100; i++) {
        Tick tick = {.price = i, .at = 1000 * i};
        check(mycelium_publish(runtime, TICK, (const uint8_t *)&tick, sizeof tick));
    }

    Tick ticks[256];
    int64_t count = check(mycelium_read_array(reader, TICK, (uint8_t *)ticks, sizeof ticks));
    printf("read %" PRId64 " ticks, the last one %" PRId64 "\n", count, ticks[count - 1].price);

    /* Delivers what still waits, and then calls nothing back. */
    check(mycelium_runtime_close(runtime, 5000));
    printf("the callback has seen %" PRId64 "\n", sum);

    check(mycelium_free(subscription));
    check(mycelium_free(reader));
    check(mycelium_free(runtime));
    return 0;
}
