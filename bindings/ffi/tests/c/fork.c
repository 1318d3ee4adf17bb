/* A child of `fork` has an error for what is from before, whatever other threads held, and runtimes of its
   own. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT_EXIT _exit
#include "expect.h"

enum { TICK = 7, FORKS = 20 };

static const char TABLE[] = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 market.ticks\nfield price 1 i64\n"
                            "field at 1 i64\n";
static const int64_t VALUE[2] = {1, 2};
#define BYTES ((const uint8_t *)VALUE)

static MyceliumHandle runtime, reader, subscription, supervisor, tree, address;
static atomic_int ends, inside;

static void *hammers(void *user) {
    (void)user;
    uint8_t room[4096];
    while (!atomic_load(&ends)) {
        mycelium_try_publish(runtime, TICK, BYTES, sizeof VALUE);
        mycelium_read(reader, room, sizeof room, 16);
        MyceliumHandle made;
        if (mycelium_address(runtime, "desk/one", &made) == 0)
            mycelium_free(made);
    }
    return NULL;
}

static int32_t ignores(void *user, const MyceliumMessage *message) {
    (void)user, (void)message;
    return 0;
}

static void *makes(void *user) { return user; }

static void refused(int64_t result) {
    EXPECT(result, MYCELIUM_ERROR_FORKED);
    if (strstr(mycelium_error(), "make a runtime after `fork`") == NULL)
        _exit(2);
}

/* What the child does. */
static void all_is_refused(void) {
    uint8_t room[256];
    MyceliumHandle made;
    MyceliumMessage answer;
    for (int again = 0; again < 2; again++) {
        refused(mycelium_publish(runtime, TICK, BYTES, sizeof VALUE));
        refused(mycelium_try_publish(runtime, TICK, BYTES, sizeof VALUE));
        refused(mycelium_read(reader, room, sizeof room, 1));
        refused(mycelium_wait(reader, -1));
        refused(mycelium_tell(address, TICK, BYTES, sizeof VALUE));
        refused(mycelium_ask(address, TICK, BYTES, sizeof VALUE, -1, &answer));
        refused(mycelium_reader_create(runtime, "*", 0, 0, &made));
        refused(mycelium_tree_shutdown(tree, 1000));
        refused(mycelium_runtime_close(runtime, 1000));
        refused(mycelium_free(subscription));
        refused(mycelium_free(runtime));
        /* The second time beside a runtime of this process, which has the same places. */
        MyceliumHandle own, ears;
        EXPECT(mycelium_runtime_create(TABLE, NULL, &own), 0);
        EXPECT(mycelium_reader_create(own, "*", 0, 0, &ears), 0);
        EXPECT(mycelium_publish(own, TICK, BYTES, sizeof VALUE), 0);
        EXPECT(mycelium_read(ears, room, sizeof room, 1), 1);
        EXPECT(mycelium_free(ears), 0);
        EXPECT(mycelium_free(ears), MYCELIUM_ERROR_HANDLE);
        EXPECT(mycelium_runtime_close(own, 60000), 0);
    }
}

static void waits_for(pid_t child, const char *what) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "%s: the child ended with %d\n", what, status);
        exit(1);
    }
}

static int32_t never_returns(void *state, const MyceliumMessage *message) {
    (void)state, (void)message;
    atomic_store(&inside, 2);
    for (;;)
        pause();
    return 0;
}

/* What has a limit there waits by timers of the child, and not by those of the parent, which stand still. */
static void limits_are_kept(void) {
    MyceliumHandle own, desk, it, to;
    alarm(30); /* A watchdog. */
    EXPECT(mycelium_runtime_create(TABLE, NULL, &own), 0);
    MyceliumActor actor = {.size = sizeof actor, .user = &runtime, .create = makes, .told = never_returns};
    EXPECT(mycelium_supervisor_create("own", &desk), 0);
    EXPECT(mycelium_supervisor_add_actor(desk, own, "one", &actor), 0);
    EXPECT(mycelium_tree_start(own, desk, &it), 0);
    EXPECT(mycelium_address(own, "own/one", &to), 0);
    EXPECT(mycelium_tell(to, TICK, BYTES, sizeof VALUE), 0);
    while (atomic_load(&inside) != 2)
        usleep(1000);
    EXPECT(mycelium_tree_shutdown(it, 100), MYCELIUM_ERROR_TREE);
}

/* Forks where the actor runs: the child is in its callback still. */
static int32_t forks(void *state, const MyceliumMessage *message) {
    (void)state, (void)message;
    pid_t child = fork();
    if (child == 0) {
        refused(mycelium_self_schedule(1, 1, 0));
        refused(mycelium_self_stop());
        all_is_refused();
        limits_are_kept();
        _exit(0);
    }
    waits_for(child, "a fork in a callback");
    atomic_store(&inside, 1);
    return 0;
}

int main(void) {
    EXPECT(mycelium_runtime_create(TABLE, NULL, &runtime), 0);
    EXPECT(mycelium_reader_create(runtime, "*", MYCELIUM_POLICY_DROP_OLDEST, 64, &reader), 0);
    EXPECT(mycelium_subscribe(runtime, "*", MYCELIUM_POLICY_DROP_OLDEST, 64, ignores, NULL, NULL, &subscription), 0);
    MyceliumActor actor = {.size = sizeof actor, .user = &runtime, .create = makes, .told = forks};
    EXPECT(mycelium_supervisor_create("desk", &supervisor), 0);
    EXPECT(mycelium_supervisor_add_actor(supervisor, runtime, "one", &actor), 0);
    EXPECT(mycelium_tree_start(runtime, supervisor, &tree), 0);
    EXPECT(mycelium_address(runtime, "desk/one", &address), 0);
    pthread_t others[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&others[i], NULL, hammers, NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            all_is_refused();
            _exit(0);
        }
        waits_for(child, "a fork");
    }
    EXPECT(mycelium_tell(address, TICK, BYTES, sizeof VALUE), 0);
    while (!atomic_load(&inside))
        usleep(1000);
    atomic_store(&ends, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    /* The parent has noticed nothing. */
    EXPECT(mycelium_publish(runtime, TICK, BYTES, sizeof VALUE), 0);
    EXPECT(mycelium_runtime_close(runtime, 60000), 0);
    const MyceliumHandle all[] = {address, tree, supervisor, subscription, reader, runtime};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        EXPECT(mycelium_free(all[i]), 0);
    printf("parents and children do not disturb each other\n");
    return 0;
}
