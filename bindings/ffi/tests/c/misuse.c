/* What is done wrong is an error that says what to do, and never a crash. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "expect.h"

typedef struct {
    int64_t price;
    int64_t at;
} Tick;

enum { TICK = 7, MEAN = 8, NEWS = 9 };

static const char TABLE[] = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 market.ticks\nfield price 1 i64\n"
                            "field at 1 i64\nmessage Mean 8 1 market.means\nfield price 1 f64\nfield ticks 1 u64\n"
                            "message News 9 1 news\nfield text 1 String\n";

static const Tick ONE = {1, 2};
#define BYTES ((const uint8_t *)&ONE)

static MyceliumHandle start(void) {
    MyceliumHandle runtime;
    EXPECT(mycelium_runtime_create(TABLE, NULL, &runtime), 0);
    return runtime;
}

static atomic_int released, called;
static void release(void *user) {
    (void)user;
    atomic_fetch_add(&released, 1);
}
static int32_t counts(void *user, const MyceliumMessage *message) {
    (void)user, (void)message;
    atomic_fetch_add(&called, 1);
    return 0;
}

static void nulls(void) {
    MyceliumHandle out = 99;
    WRONG(mycelium_runtime_create(NULL, NULL, &out), MYCELIUM_ERROR_ARGUMENT, "`contract` is null");
    WRONG(mycelium_runtime_create(TABLE, NULL, NULL), MYCELIUM_ERROR_ARGUMENT, "`runtime` is null");
    WRONG(mycelium_runtime_create("\xff\xfe", NULL, &out), MYCELIUM_ERROR_ARGUMENT, "UTF-8");
    WRONG(mycelium_runtime_create("nothing", NULL, &out), MYCELIUM_ERROR_CONTRACT, "contract");
    WRONG(mycelium_runtime_create_from_file("/nowhere/x.yaml", NULL, &out), MYCELIUM_ERROR_CONTRACT, "/nowhere");
    MyceliumOptions options;
    memset(&options, 0, sizeof options);
    WRONG(mycelium_runtime_create(TABLE, &options, &out), MYCELIUM_ERROR_ARGUMENT, "sizeof(MyceliumOptions)");
    options.size = sizeof options;
    options.workers = (uint32_t)-1;
    WRONG(mycelium_runtime_create(TABLE, &options, &out), MYCELIUM_ERROR_ARGUMENT, "negative");
    options.workers = 0;
    EXPECT(mycelium_runtime_create(TABLE, &options, &out), 0);
    WRONG(mycelium_publish(out, TICK, NULL, 16), MYCELIUM_ERROR_ARGUMENT, "`bytes` is null");
    WRONG(mycelium_publish(out, TICK, BYTES, (size_t)-1), MYCELIUM_ERROR_ARGUMENT, "negative");
    WRONG(mycelium_publish(out, TICK, NULL, 0), MYCELIUM_ERROR_VALUE, "Tick");
    WRONG(mycelium_publish(out, TICK, BYTES, 15), MYCELIUM_ERROR_VALUE, "Tick");
    WRONG(mycelium_publish(out, 77, BYTES, 16), MYCELIUM_ERROR_CONTRACT, "77");
    WRONG(mycelium_publish_version(out, TICK, 2, 8, BYTES, 16), MYCELIUM_ERROR_VALUE, "Tick");
    WRONG(mycelium_publish_array(out, TICK, BYTES, 0, 1, NULL), MYCELIUM_ERROR_ARGUMENT, "stride");
    WRONG(mycelium_publish_array(out, TICK, BYTES, (size_t)-1, 2, NULL), MYCELIUM_ERROR_ARGUMENT, "too much");
    WRONG(mycelium_publish_array(out, TICK, NULL, 16, 1, NULL), MYCELIUM_ERROR_ARGUMENT, "null");
    EXPECT(mycelium_publish_array(out, TICK, NULL, 16, 0, NULL), 0);
    WRONG(mycelium_check_schema(out, 1), MYCELIUM_ERROR_DIGEST, "mycelium gen");
    WRONG(mycelium_check_message(out, TICK, 1), MYCELIUM_ERROR_DIGEST, "Tick");
    WRONG(mycelium_describe(out, TICK, NULL), MYCELIUM_ERROR_ARGUMENT, "null");
    MyceliumDescribed described;
    EXPECT(mycelium_describe(out, TICK, &described), 0);
    EXPECT(described.root_len, sizeof(Tick));
    EXPECT(mycelium_check_message(out, TICK, described.digest), 0);
    WRONG(mycelium_reader_create(out, NULL, 0, 0, &out), MYCELIUM_ERROR_ARGUMENT, "`topics` is null");
    MyceliumHandle other;
    WRONG(mycelium_reader_create(out, "nowhere", 0, 0, &other), MYCELIUM_ERROR_CONTRACT, "nowhere");
    WRONG(mycelium_reader_create(out, "news", 4, 0, &other), MYCELIUM_ERROR_ARGUMENT, "MYCELIUM_POLICY");
    WRONG(mycelium_subscribe(out, "news", 0, 0, NULL, NULL, release, &other), MYCELIUM_ERROR_ARGUMENT, "callback");
    WRONG(mycelium_subscribe(out, "news", 0, 0, counts, NULL, release, NULL), MYCELIUM_ERROR_ARGUMENT, "null");
    WRONG(mycelium_subscribe(out, "nowhere", 0, 0, counts, NULL, release, &other), MYCELIUM_ERROR_CONTRACT, "nowhere");
    EXPECT(atomic_load(&released), 3);
    WRONG(mycelium_address(out, "root/a", &other), MYCELIUM_ERROR_NO_ADDRESS, "root/a");
    WRONG(mycelium_self_stop(), MYCELIUM_ERROR_INSIDE, "callback of an actor");
    WRONG(mycelium_reply(TICK, BYTES, 16), MYCELIUM_ERROR_INSIDE, "callback of an actor");
    char text[8];
    if (mycelium_stats_text(out, text, sizeof text) < 8 || strlen(text) != 7)
        exit(1);
    if (mycelium_stats_text(out, NULL, 0) < 8)
        exit(1);
    EXPECT(mycelium_free(out), 0);
    if (mycelium_abi() != MYCELIUM_ABI || strlen(mycelium_version()) < 5)
        exit(1);
}

static int32_t gives_up(void *user) {
    (void)user;
    return 1;
}

static void publishers(void) {
    MyceliumHandle runtime = start(), reader, publisher = 99;
    WRONG(mycelium_publisher_create(runtime, 77, &publisher), MYCELIUM_ERROR_CONTRACT, "77");
    WRONG(mycelium_publisher_create(runtime, TICK, NULL), MYCELIUM_ERROR_ARGUMENT, "`publisher` is null");
    EXPECT(mycelium_publisher_create(runtime, TICK, &publisher), 0);
    WRONG(mycelium_publisher_publish(publisher, NULL, 16), MYCELIUM_ERROR_ARGUMENT, "`bytes` is null");
    WRONG(mycelium_publisher_publish(publisher, BYTES, (size_t)-1), MYCELIUM_ERROR_ARGUMENT, "negative");
    WRONG(mycelium_publisher_try_publish(publisher, BYTES, 15), MYCELIUM_ERROR_VALUE, "Tick");
    WRONG(mycelium_publisher_publish(publisher, BYTES, (size_t)1 << 30), MYCELIUM_ERROR_VALUE, "Tick");
    WRONG(mycelium_publisher_publish(runtime, BYTES, 16), MYCELIUM_ERROR_HANDLE, "that of a runtime");
    WRONG(mycelium_publish(publisher, TICK, BYTES, 16), MYCELIUM_ERROR_HANDLE, "that of a publisher");
    EXPECT(mycelium_publisher_publish(publisher, BYTES, 16), 0);
    EXPECT(mycelium_reader_create(runtime, "market.*", MYCELIUM_POLICY_BLOCK, 2, &reader), 0);
    EXPECT(mycelium_publisher_publish(publisher, BYTES, 16), 0);
    EXPECT(mycelium_publisher_try_publish(publisher, BYTES, 16), 0);
    WRONG(mycelium_publisher_try_publish(publisher, BYTES, 16), MYCELIUM_ERROR_FULL, "Tick");
    /* It waits, as nothing else would ask whether to go on. */
    EXPECT(mycelium_on_wait(gives_up, NULL), 0);
    WRONG(mycelium_publisher_publish(publisher, BYTES, 16), MYCELIUM_ERROR_INTERRUPTED, "nothing was sent");
    EXPECT(mycelium_on_wait(NULL, NULL), 0);
    Tick ticks[3];
    EXPECT(mycelium_read_array(reader, TICK, (uint8_t *)ticks, sizeof ticks), 2);
    EXPECT(memcmp(&ticks[1], &ONE, sizeof ONE), 0);
    EXPECT(mycelium_runtime_close(runtime, 5000), 0);
    WRONG(mycelium_publisher_publish(publisher, BYTES, 16), MYCELIUM_ERROR_CLOSED, "closed");
    EXPECT(mycelium_free(publisher), 0);
    WRONG(mycelium_publisher_try_publish(publisher, BYTES, 16), MYCELIUM_ERROR_HANDLE, "a publisher is needed");
    WRONG(mycelium_publisher_create(runtime, TICK, &publisher), MYCELIUM_ERROR_CLOSED, "closed");
    EXPECT(mycelium_free(reader), 0);
    EXPECT(mycelium_free(runtime), 0);
}

static void handles(void) {
    MyceliumHandle runtime = start(), reader, supervisor, tree, never[] = {0, 1, UINT64_MAX, (uint64_t)1 << 32};
    EXPECT(mycelium_reader_create(runtime, "*", 0, 0, &reader), 0);
    EXPECT(mycelium_supervisor_create("root", &supervisor), 0);
    for (size_t i = 0; i < 4; i++) {
        WRONG(mycelium_free(never[i]), MYCELIUM_ERROR_HANDLE, "handle");
        WRONG(mycelium_publish(never[i], TICK, BYTES, 16), MYCELIUM_ERROR_HANDLE, "a runtime is needed");
        WRONG(mycelium_wait(never[i], 0), MYCELIUM_ERROR_HANDLE, "a reader is needed");
    }
    WRONG(mycelium_publish(reader, TICK, BYTES, 16), MYCELIUM_ERROR_HANDLE, "that of a reader");
    WRONG(mycelium_wait(runtime, 0), MYCELIUM_ERROR_HANDLE, "that of a runtime");
    WRONG(mycelium_tree_shutdown(supervisor, 0), MYCELIUM_ERROR_HANDLE, "that of a supervisor");
    WRONG(mycelium_supervisor_strategy(supervisor, 9), MYCELIUM_ERROR_ARGUMENT, "MYCELIUM_STRATEGY");
    WRONG(mycelium_supervisor_add_supervisor(supervisor, supervisor), MYCELIUM_ERROR_ARGUMENT, "below itself");
    EXPECT(mycelium_tree_start(runtime, supervisor, &tree), 0);
    WRONG(mycelium_tree_start(runtime, supervisor, &tree), MYCELIUM_ERROR_ARGUMENT, "describe a new one");
    EXPECT(tree, 0);
    uint8_t room[64];
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    WRONG(mycelium_read(reader, room, 55, 9), MYCELIUM_ERROR_BUFFER, "56");
    WRONG(mycelium_read_array(reader, MEAN, room, 64), MYCELIUM_ERROR_BUFFER, "Tick");
    EXPECT(mycelium_read(reader, room, 56, 9), 1);
    MyceliumRecord record;
    memcpy(&record, room, sizeof record);
    EXPECT(record.type_id * 1000 + record.len, 7016);
    EXPECT(memcmp(room + sizeof record, &ONE, 16), 0);
    EXPECT(mycelium_free(supervisor), 0);
    EXPECT(mycelium_runtime_close(runtime, 5000), 0);
    EXPECT(mycelium_runtime_close(runtime, 5000), 0);
    WRONG(mycelium_publish(runtime, TICK, BYTES, 16), MYCELIUM_ERROR_CLOSED, "closed");
    WRONG(mycelium_wait(reader, -1), MYCELIUM_ERROR_CLOSED, "closed");
    WRONG(mycelium_reader_create(runtime, "*", 0, 0, &tree), MYCELIUM_ERROR_CLOSED, "closed");
    EXPECT(mycelium_free(runtime), 0);
    WRONG(mycelium_free(runtime), MYCELIUM_ERROR_HANDLE, "free it once");
    WRONG(mycelium_publish(runtime, TICK, BYTES, 16), MYCELIUM_ERROR_HANDLE, "was freed");
    EXPECT(mycelium_free(reader), 0);
}

/* A callback that does everything that it may not. */
static MyceliumHandle of_callback, subscription;
static atomic_int refused, seen;
static int32_t closes(void *user, const MyceliumMessage *message) {
    (void)user, (void)message;
    atomic_fetch_add(&seen, 1);
    WRONG(mycelium_runtime_close(of_callback, 1000), MYCELIUM_ERROR_INSIDE, "another thread");
    WRONG(mycelium_free(of_callback), MYCELIUM_ERROR_INSIDE, "another thread");
    EXPECT(mycelium_publish(of_callback, MEAN, BYTES, 16), 0);
    EXPECT(mycelium_free(subscription), 0);
    WRONG(mycelium_free(subscription), MYCELIUM_ERROR_HANDLE, "freed");
    atomic_fetch_add(&refused, 1);
    return 0;
}

static void callbacks(void) {
    of_callback = start();
    atomic_store(&released, 0);
    EXPECT(mycelium_subscribe(of_callback, "market.ticks", 0, 0, closes, NULL, release, &subscription), 0);
    for (int i = 0; i < 10; i++)
        EXPECT(mycelium_publish(of_callback, TICK, BYTES, 16), 0);
    while (atomic_load(&released) == 0)
        ;
    EXPECT(mycelium_runtime_close(of_callback, 60000), 0);
    EXPECT(atomic_load(&seen) * 10 + atomic_load(&refused), 11);
    EXPECT(atomic_load(&released), 1);
    EXPECT(mycelium_free(of_callback), 0);
}

/* An actor that closes its runtime, answers nothing, fails to be made, and is asked for too much. */
static atomic_int lives;
static void *create(void *user) {
    if (user == NULL) {
        mycelium_fail("I will not live");
        return NULL;
    }
    atomic_fetch_add(&lives, 1);
    return user;
}
static int32_t message(void *state, const MyceliumMessage *message) {
    MyceliumHandle runtime = *(MyceliumHandle *)state;
    (void)message;
    WRONG(mycelium_runtime_close(runtime, 1000), MYCELIUM_ERROR_INSIDE, "another thread");
    EXPECT(mycelium_self_schedule(1, 1, 0), 0);
    EXPECT(mycelium_self_cancel(1), 1);
    EXPECT(mycelium_self_cancel(1), 0);
    int64_t now;
    uint64_t id;
    EXPECT(mycelium_self_now(&now), 0);
    EXPECT(mycelium_self_id(&id), 0);
    WRONG(mycelium_self_id(NULL), MYCELIUM_ERROR_ARGUMENT, "null");
    WRONG(mycelium_self_watch(runtime, 1), MYCELIUM_ERROR_HANDLE, "an address is needed");
    return 3;
}
static int32_t silent(void *state, const MyceliumMessage *query) {
    static int asked;
    (void)state, (void)query;
    WRONG(mycelium_reply(TICK, BYTES, 3), MYCELIUM_ERROR_VALUE, "Tick");
    switch (asked++) {
    case 0:
        return mycelium_fail("of this callback alone") - 1;
    case 1:
        return 3;
    case 2:
        return mycelium_fail("the caf\xe9 is shut");
    default:
        return mycelium_fail(NULL);
    }
}

static void actors(void) {
    MyceliumHandle runtime = start(), supervisor, tree, address;
    MyceliumActor actor;
    memset(&actor, 0, sizeof actor);
    EXPECT(mycelium_supervisor_create("root", &supervisor), 0);
    EXPECT(mycelium_supervisor_intensity(supervisor, 100, 1000), 0);
    WRONG(mycelium_supervisor_add_actor(supervisor, runtime, "a", NULL), MYCELIUM_ERROR_ARGUMENT, "null");
    WRONG(mycelium_supervisor_add_actor(supervisor, runtime, "a", &actor), MYCELIUM_ERROR_ARGUMENT, "sizeof");
    atomic_store(&released, 0);
    actor.size = sizeof actor;
    actor.release = release;
    WRONG(mycelium_supervisor_add_actor(supervisor, runtime, "a", &actor), MYCELIUM_ERROR_ARGUMENT, "create");
    actor.create = create;
    actor.restart = 7;
    WRONG(mycelium_supervisor_add_actor(supervisor, runtime, "a", &actor), MYCELIUM_ERROR_ARGUMENT, "RESTART");
    actor.restart = 0;
    WRONG(mycelium_supervisor_add_actor(supervisor, 0, "a", &actor), MYCELIUM_ERROR_HANDLE, "runtime");
    WRONG(mycelium_supervisor_add_actor(supervisor, runtime, NULL, &actor), MYCELIUM_ERROR_ARGUMENT, "name");
    EXPECT(atomic_load(&released), 4);
    actor.message = message;
    actor.query = silent;
    actor.topics = "market.ticks";
    actor.user = &runtime;
    EXPECT(mycelium_supervisor_add_actor(supervisor, runtime, "a", &actor), 0);
    EXPECT(mycelium_tree_start(runtime, supervisor, &tree), 0);
    EXPECT(mycelium_address(runtime, "root/a", &address), 0);
    for (int i = 0; i < 20; i++)
        EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    MyceliumMessage answer;
    WRONG(mycelium_ask(address, TICK, BYTES, 16, 60000, &answer), MYCELIUM_ERROR_CALLBACK, "mycelium_reply");
    WRONG(mycelium_ask(address, TICK, BYTES, 16, 60000, &answer), MYCELIUM_ERROR_CALLBACK, "has returned 3");
    WRONG(mycelium_ask(address, TICK, BYTES, 16, 60000, &answer), MYCELIUM_ERROR_CALLBACK, "the caf\xef\xbf\xbd is shut");
    WRONG(mycelium_ask(address, TICK, BYTES, 16, 60000, &answer), MYCELIUM_ERROR_CALLBACK, "null");
    WRONG(mycelium_ask(address, TICK, BYTES, 16, 60000, NULL), MYCELIUM_ERROR_ARGUMENT, "answer");
    WRONG(mycelium_ask(address, TICK, BYTES, 3, 60000, &answer), MYCELIUM_ERROR_VALUE, "Tick");
    WRONG(mycelium_tell(address, TICK, BYTES, 3), MYCELIUM_ERROR_VALUE, "Tick");
    EXPECT(atomic_load(&lives), 21);
    /* It has no function for what it is told: its life ends, and the next one begins. */
    EXPECT(mycelium_tell(address, TICK, BYTES, 16), 0);
    while (atomic_load(&lives) < 22)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    EXPECT(mycelium_is_alive(address), 1);
    EXPECT(mycelium_free(supervisor), 0);

    EXPECT(mycelium_supervisor_create("other", &supervisor), 0);
    actor.user = NULL;
    MyceliumHandle none;
    EXPECT(mycelium_supervisor_add_actor(supervisor, runtime, "b", &actor), 0);
    WRONG(mycelium_tree_start(runtime, supervisor, &none), MYCELIUM_ERROR_TREE, "I will not live");
    EXPECT(mycelium_free(supervisor), 0);

    EXPECT(mycelium_tree_ended(tree, 0, NULL, 0), 0);
    WRONG(mycelium_tree_terminate(tree, "root/nobody"), MYCELIUM_ERROR_TREE, "no child");
    EXPECT(mycelium_tree_terminate(tree, "root/a"), 0);
    WRONG(mycelium_tell(address, TICK, BYTES, 16), MYCELIUM_ERROR_NO_ADDRESS, "ended");
    EXPECT(mycelium_tree_restart(tree, "root/a"), 0);
    EXPECT(mycelium_tree_shutdown(tree, 60000), 0);
    char reason[64];
    EXPECT(mycelium_tree_ended(tree, 60000, reason, sizeof reason), 1);
    EXPECT(mycelium_free(tree), 0);
    EXPECT(mycelium_free(address), 0);
    EXPECT(mycelium_free(runtime), 0);
    EXPECT(atomic_load(&released), 6);
}

/* Several threads close one runtime while a callback runs: for none has it ended before the callback has. */
static atomic_int running, goes_on;
static int32_t slow(void *user, const MyceliumMessage *message) {
    (void)user, (void)message;
    atomic_store(&running, 1);
    while (atomic_load(&goes_on) == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    nanosleep(&(struct timespec){0, 300000000}, NULL);
    atomic_store(&running, 0);
    return 0;
}
static void *ends(void *user) {
    int64_t closed = mycelium_runtime_close(*(MyceliumHandle *)user, 60000);
    return (void *)(intptr_t)(closed == 0 && atomic_load(&running) == 0);
}

static void closers(void) {
    MyceliumHandle runtime = start(), slowly;
    EXPECT(mycelium_subscribe(runtime, "market.ticks", 0, 0, slow, NULL, NULL, &slowly), 0);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    while (atomic_load(&running) == 0)
        ;
    WRONG(mycelium_runtime_close(runtime, 0), MYCELIUM_ERROR_CALLBACK, "has not returned");
    pthread_t others[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&others[i], NULL, ends, &runtime);
    atomic_store(&goes_on, 1);
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(others[i], &result);
        EXPECT((intptr_t)result, 1);
    }
    EXPECT(mycelium_free(slowly), 0);
    EXPECT(mycelium_free(runtime), 0);
}

/* A reader is freed under whoever waits on it. */
static void *waits(void *user) {
    return (void *)(intptr_t)mycelium_wait(*(MyceliumHandle *)user, -1);
}

static void waiters(void) {
    MyceliumHandle runtime = start(), reader;
    pthread_t other;
    void *result;
    EXPECT(mycelium_reader_create(runtime, "*", 0, 0, &reader), 0);
    MyceliumHandle one;
    _Alignas(8) uint8_t room[256];
    WRONG(mycelium_reader_create(runtime, "market.*,#", 0, 0, &one), MYCELIUM_ERROR_ARGUMENT, "#7");
    WRONG(mycelium_reader_create(runtime, "market.*,#70000", 0, 0, &one), MYCELIUM_ERROR_ARGUMENT, "#7");
    WRONG(mycelium_reader_create(runtime, "market.*,#9", 0, 0, &one), MYCELIUM_ERROR_CONTRACT, "type id 9");
    EXPECT(mycelium_reader_create(runtime, "market.*, #8", 0, 0, &one), 0);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    EXPECT(mycelium_publish(runtime, MEAN, BYTES, 16), 0);
    EXPECT(mycelium_read(one, room, sizeof room, 9), 1);
    EXPECT(((MyceliumRecord *)(void *)room)->type_id, MEAN);
    EXPECT(mycelium_read(reader, room, sizeof room, 9), 2);
    EXPECT(mycelium_free(one), 0);
    EXPECT(mycelium_wait(reader, 0), 0);
    EXPECT(mycelium_wait(reader, 5), 0);
    pthread_create(&other, NULL, waits, &reader);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    EXPECT(mycelium_free(reader), 0);
    pthread_join(other, &result);
    EXPECT((intptr_t)result, MYCELIUM_ERROR_HANDLE);
    EXPECT(mycelium_free(runtime), 0);
}

/* Threads that publish, read and free while others close and free the same. */
static MyceliumHandle shared, shared_reader;
static void *uses(void *user) {
    (void)user;
    uint8_t room[1024];
    for (int i = 0; i < 300; i++) {
        mycelium_try_publish(shared, TICK, BYTES, 16);
        mycelium_read(shared_reader, room, sizeof room, 10);
        if (mycelium_error() == NULL)
            exit(1);
    }
    return (void *)(intptr_t)(mycelium_free(shared_reader) == 0);
}

static void threads(void) {
    for (int round = 0; round < 5; round++) {
        pthread_t others[4];
        shared = start();
        EXPECT(mycelium_reader_create(shared, "*", MYCELIUM_POLICY_DROP_OLDEST, 16, &shared_reader), 0);
        for (int i = 0; i < 4; i++)
            pthread_create(&others[i], NULL, uses, NULL);
        if (round % 2 == 0)
            EXPECT(mycelium_runtime_close(shared, 60000), 0);
        intptr_t freed = 0;
        for (int i = 0; i < 4; i++) {
            void *result;
            pthread_join(others[i], &result);
            freed += (intptr_t)result;
        }
        EXPECT(freed, 1);
        EXPECT(mycelium_free(shared), 0);
    }
}

/* With as many handles as there may be: what cannot have one leaves nothing behind. */
static void handles_of_all(void) {
    static MyceliumHandle all[70000];
    MyceliumHandle runtime = start(), none = 99;
    size_t count = 0;
    atomic_store(&released, 0);
    atomic_store(&called, 0);
    while (mycelium_supervisor_create("root", &all[count]) == 0)
        count++;
    if (count < 60000 || count >= 65536)
        exit(1);
    WRONG(mycelium_subscribe(runtime, "market.ticks", 0, 0, counts, NULL, release, &none), MYCELIUM_ERROR_SYSTEM, "no more");
    EXPECT(none, 0);
    EXPECT(atomic_load(&released), 1);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    while (count > 0)
        EXPECT(mycelium_free(all[--count]), 0);
    EXPECT(mycelium_subscribe(runtime, "market.ticks", 0, 0, counts, NULL, release, &none), 0);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    EXPECT(mycelium_runtime_close(runtime, 60000), 0);
    EXPECT(atomic_load(&called), 1);
    EXPECT(atomic_load(&released), 2);
    EXPECT(mycelium_free(none), 0);
    EXPECT(mycelium_free(runtime), 0);
}

/* A subscription is freed behind a callback that does not return, which the close has given up. */
static atomic_int stuck, let_go;
static int32_t sticks(void *user, const MyceliumMessage *message) {
    (void)user, (void)message;
    atomic_store(&stuck, 1);
    while (atomic_load(&let_go) == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    return 0;
}

static void given_up(void) {
    MyceliumHandle runtime = start(), sticking, behind;
    EXPECT(mycelium_subscribe(runtime, "market.ticks", 0, 0, sticks, NULL, NULL, &sticking), 0);
    EXPECT(mycelium_subscribe(runtime, "market.ticks", 0, 0, counts, NULL, NULL, &behind), 0);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    while (atomic_load(&stuck) == 0)
        ;
    WRONG(mycelium_runtime_close(runtime, 0), MYCELIUM_ERROR_CALLBACK, "has not returned");
    EXPECT(mycelium_free(sticking), 0);
    EXPECT(mycelium_free(behind), 0);
    WRONG(mycelium_free(runtime), MYCELIUM_ERROR_CALLBACK, "has not returned");
    WRONG(mycelium_free(runtime), MYCELIUM_ERROR_HANDLE, "freed");
    atomic_store(&let_go, 1);
}

/* The same with an actor that does not return, which is named. */
static void given_up_actor(void) {
    MyceliumHandle runtime = start(), supervisor, tree;
    MyceliumActor actor;
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.user = &stuck;
    actor.create = create;
    actor.message = sticks;
    actor.topics = "market.ticks";
    atomic_store(&stuck, 0);
    atomic_store(&let_go, 0);
    EXPECT(mycelium_supervisor_create("root", &supervisor), 0);
    EXPECT(mycelium_supervisor_add_actor(supervisor, runtime, "blocked", &actor), 0);
    EXPECT(mycelium_tree_start(runtime, supervisor, &tree), 0);
    EXPECT(mycelium_publish(runtime, TICK, BYTES, 16), 0);
    while (atomic_load(&stuck) == 0)
        ;
    WRONG(mycelium_runtime_close(runtime, 100), MYCELIUM_ERROR_CALLBACK, "root/blocked");
    atomic_store(&let_go, 1);
    EXPECT(mycelium_runtime_close(runtime, 60000), 0);
    EXPECT(mycelium_free(tree), 0);
    EXPECT(mycelium_free(supervisor), 0);
    EXPECT(mycelium_free(runtime), 0);
}

int main(void) {
    nulls();
    publishers();
    handles();
    callbacks();
    actors();
    waiters();
    closers();
    threads();
    handles_of_all();
    given_up();
    given_up_actor();
    printf("all is refused as it should be\n");
    return 0;
}
