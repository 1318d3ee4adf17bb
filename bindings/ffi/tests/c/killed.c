/* A process whose peers are killed goes on: `killed CONTRACT TOPOLOGY market floods` publishes until its
 * standard input ends, and `... desk hears` says so when it has heard something, and listens on. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mycelium.h"

enum { TICK = 7, BATCH = 256 };

static int64_t check(int64_t result) {
    if (result < 0) {
        fprintf(stderr, "error %" PRId64 ": %s\n", result, mycelium_error());
        exit(1);
    }
    return result;
}

static int ends(void) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, 0) > 0;
}

int main(int argc, char **argv) {
    if (argc < 5)
        return 2;
    MyceliumHandle runtime, reader;
    check(mycelium_runtime_create_from_files(argv[2], argv[3], argv[1], NULL, &runtime));
    if (strcmp(argv[4], "floods") == 0) {
        const int64_t ticks[2 * BATCH] = {1};
        while (!ends())
            check(mycelium_publish_array(runtime, TICK, (const uint8_t *)ticks, 16, BATCH, NULL));
        /* Whoever was killed has not acknowledged all, which is said. */
        int64_t closed = mycelium_runtime_close(runtime, 60000);
        if (closed != MYCELIUM_ERROR_TREE)
            check(closed);
        printf("goes on\n");
        return 0;
    }
    int64_t ticks[2 * BATCH];
    check(mycelium_reader_create(runtime, "market.ticks", MYCELIUM_POLICY_BLOCK, BATCH, &reader));
    for (int first = 1;; first = 0) {
        check(mycelium_wait(reader, -1));
        check(mycelium_read_array(reader, TICK, (uint8_t *)ticks, sizeof ticks));
        if (first && (puts("hears") < 0 || fflush(stdout) != 0))
            return 1;
    }
}
